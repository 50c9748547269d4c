package io.idefics.web.openai.responses;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.idefics.web.openai.responses.ResponseObject.Logprob;
import io.idefics.web.openai.responses.ResponseObject.OutputMessage;
import io.idefics.web.openai.responses.ResponseObject.OutputText;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** OpenAI's {@code ResponseStreamEvent}, as far as text needs it. Events are numbered from 0. */
sealed interface ResponseEvent {

    /** The name of the event. */
    String type();

    /** The state of the whole answer. */
    @JsonNaming(SnakeCaseStrategy.class)
    record State(String type, int sequenceNumber, ResponseObject response) implements ResponseEvent {}

    /** The message begins or is complete. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Item(String type, int sequenceNumber, int outputIndex, OutputMessage item) implements ResponseEvent {}

    /** The text of the message begins or is complete. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Part(String type, int sequenceNumber, String itemId, int outputIndex, int contentIndex, OutputText part)
            implements ResponseEvent {}

    /** The next piece of the text. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Delta(
            String type,
            int sequenceNumber,
            String itemId,
            int outputIndex,
            int contentIndex,
            String delta,
            List<Logprob> logprobs)
            implements ResponseEvent {}

    /** The whole text. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Done(
            String type,
            int sequenceNumber,
            String itemId,
            int outputIndex,
            int contentIndex,
            String text,
            List<Logprob> logprobs)
            implements ResponseEvent {}

    /** A failure. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Failed(String type, int sequenceNumber, @Nullable String code, String message, @Nullable String param)
            implements ResponseEvent {}
}
