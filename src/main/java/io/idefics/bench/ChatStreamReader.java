package io.idefics.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/**
 * Lines of a streamed chat completion to the events of an {@link AnswerListener}, after OpenAI's
 * {@code CreateChatCompletionStreamResponse}. An answer is complete when its stream ends after {@code [DONE]} or a
 * {@code finish_reason}; not before, as the connection is free for the next request only then.
 */
final class ChatStreamReader implements Flow.Subscriber<String> {

    private final ObjectMapper json;
    private final AnswerListener listener;
    private final SseParser parser = new SseParser();
    private boolean finished;

    ChatStreamReader(ObjectMapper json, AnswerListener listener) {
        this.json = json;
        this.listener = listener;
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(String line) {
        SseParser.Event event = parser.line(line);
        if (event != null) {
            read(event);
        }
    }

    @Override
    public void onError(Throwable error) {
        if (finished) {
            listener.completed();
        } else {
            listener.failed("connection", String.valueOf(error.getMessage()));
        }
    }

    @Override
    public void onComplete() {
        if (finished) {
            listener.completed();
        } else {
            listener.failed("incomplete", "the stream ended before the answer did");
        }
    }

    private void read(SseParser.Event event) {
        if (event.data().startsWith("[DONE]")) {
            finished = true;
            return;
        }
        JsonNode chunk = parse(event.data());
        if (chunk == null) {
            listener.failed("malformed", "the stream has an event that is not JSON: " + event.data());
        } else if (event.type().equals("error") || chunk.hasNonNull("error")) {
            listener.failed("stream error", message(chunk));
        } else {
            read(chunk);
        }
    }

    private void read(JsonNode chunk) {
        JsonNode choice = chunk.path("choices").path(0);
        String text = choice.path("delta").path("content").asText("");
        if (!text.isEmpty() && choice.path("delta").hasNonNull("content")) {
            listener.text(text);
        }
        finished |= choice.hasNonNull("finish_reason");
        JsonNode usage = chunk.path("usage");
        if (usage.isObject()) {
            listener.usage(new TokenUsage(
                    usage.path("prompt_tokens").asInt(),
                    usage.path("prompt_tokens_details").path("cached_tokens").asInt(),
                    usage.path("completion_tokens").asInt()));
        }
    }

    /** What an error object of OpenAI's form says, or all of it where it has another form. */
    static String message(JsonNode body) {
        JsonNode message = body.path("error").path("message");
        return message.isTextual() ? message.textValue() : body.toString();
    }

    private @Nullable JsonNode parse(String data) {
        try {
            return json.readTree(data);
        } catch (JsonProcessingException e) {
            return null;
        }
    }
}
