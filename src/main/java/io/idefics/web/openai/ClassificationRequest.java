package io.idefics.web.openai;

import io.idefics.generation.Prompt;
import java.util.List;

/**
 * A decoded and validated body of {@code POST /v1/classify}.
 *
 * @param model the id of the model
 * @param conversation what is asked
 * @param choices the answers to choose from, at least one
 */
public record ClassificationRequest(String model, Prompt.Conversation conversation, List<String> choices) {

    public ClassificationRequest {
        choices = List.copyOf(choices);
    }
}
