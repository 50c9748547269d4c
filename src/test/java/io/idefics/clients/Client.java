package io.idefics.clients;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;

/** A client library, as the tests use it. */
interface Client extends AutoCloseable {

    /** Asks for the whole answer. */
    Answer ask(Chat chat);

    /** Asks for a stream with usage, and reads all of it. */
    Answer stream(Chat chat);

    /** Asks for a stream and closes it when the first piece of text has come. */
    void leaveAfterFirstPiece(Chat chat);

    /** The exception by which this client tells of a status, in place of a whole answer or of a stream. */
    Class<? extends Throwable> exception(int status, boolean streamed);

    /** What such an exception of this client tells. */
    Refusal refusal(Throwable exception);

    /** Whether it waits before it repeats a request for as long as the answer says. */
    boolean heedsRetryAfter();

    /** Whether it repeats a request for a stream. */
    boolean repeatsStreams();

    @Override
    void close();

    /**
     * What the client makes of an answer.
     *
     * @param pieces the text as it came, one piece where it was not streamed
     * @param finishReason in lower case
     */
    record Answer(String model, List<String> pieces, String finishReason, long promptTokens, long completionTokens) {

        String text() {
            return String.join("", pieces);
        }
    }

    /** What the client tells of an error. */
    record Refusal(String message, String code, String param) {

        /** Of a text in which the error stands as the server wrote it. */
        static Refusal in(String text) {
            try {
                JsonNode error = new ObjectMapper()
                        .readTree(text.substring(text.indexOf('{')))
                        .get("error");
                return new Refusal(
                        error.get("message").asText(),
                        error.get("code").asText(),
                        error.get("param").asText());
            } catch (JsonProcessingException e) {
                throw new AssertionError(text, e);
            }
        }
    }
}
