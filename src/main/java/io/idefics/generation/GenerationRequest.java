package io.idefics.generation;

import java.util.List;

/**
 * A validated request for the next turn of a conversation.
 *
 * @param model the id of the model
 * @param messages the conversation so far, at least one message
 * @param sampling how tokens are chosen
 * @param stopping when generation ends
 */
public record GenerationRequest(
        String model, List<Message> messages, SamplingParams sampling, StoppingCriteria stopping) {

    public GenerationRequest {
        messages = List.copyOf(messages);
    }
}
