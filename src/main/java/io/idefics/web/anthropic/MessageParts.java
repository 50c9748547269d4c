package io.idefics.web.anthropic;

import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.web.SingleAnswer;
import io.idefics.web.anthropic.MessageObject.MessageUsage;
import io.idefics.web.anthropic.MessageObject.TextBlock;
import java.util.List;
import java.util.UUID;

/**
 * One message on its way to the client: what all its parts have in common.
 *
 * @param id the id of the message
 * @param model the id of the model
 * @param inputTokens the tokens of the prompt
 * @param fillsContext whether the context of the model ends before the most tokens that were asked for
 */
record MessageParts(String id, String model, int inputTokens, boolean fillsContext) {

    static MessageParts begin(String model, int inputTokens, boolean fillsContext) {
        String id = "msg_" + UUID.randomUUID().toString().replace("-", "");
        return new MessageParts(id, model, inputTokens, fillsContext);
    }

    /** The message before anything was generated. */
    MessageObject begun() {
        MessageUsage usage = new MessageUsage(inputTokens, 0, 0, 0);
        return new MessageObject(id, "message", "assistant", model, List.of(), null, null, usage);
    }

    /** The whole message. */
    MessageObject ended(SingleAnswer answer) {
        return new MessageObject(
                id,
                "message",
                "assistant",
                model,
                List.of(TextBlock.of(answer.text())),
                stopReason(answer.end()),
                answer.end().stop(),
                MessageUsage.of(answer.usage()));
    }

    /** Anthropic's name of the reason why a message ended. */
    String stopReason(ChoiceEnded end) {
        if (end.stop() != null) {
            return "stop_sequence";
        }
        return switch (end.reason()) {
            case END_TOKEN -> "end_turn";
            case STOP_STRING -> "stop_sequence";
            case LENGTH -> fillsContext ? "model_context_window_exceeded" : "max_tokens";
        };
    }
}
