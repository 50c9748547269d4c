package io.idefics.generation;

import java.util.List;

/**
 * A validated request for the next turn of a conversation.
 *
 * @param model the id of the model
 * @param messages the conversation so far, at least one message
 * @param sampling how tokens are chosen
 * @param stopping when generation ends
 * @param choices how many answers to generate, at least 1
 * @param topLogprobs how many alternatives to tell for each token besides its own log-probability; -1 for no
 *     log-probabilities at all
 * @param client who asks: clients take turns when there is not room for all; empty where nobody knows
 */
public record GenerationRequest(
        String model,
        List<Message> messages,
        SamplingParams sampling,
        StoppingCriteria stopping,
        int choices,
        int topLogprobs,
        String client) {

    /** A request of nobody in particular. */
    public GenerationRequest(
            String model,
            List<Message> messages,
            SamplingParams sampling,
            StoppingCriteria stopping,
            int choices,
            int topLogprobs) {
        this(model, messages, sampling, stopping, choices, topLogprobs, "");
    }

    /** The same request, asked by someone. */
    public GenerationRequest withClient(String name) {
        return new GenerationRequest(model, messages, sampling, stopping, choices, topLogprobs, name);
    }

    public GenerationRequest {
        messages = List.copyOf(messages);
    }
}
