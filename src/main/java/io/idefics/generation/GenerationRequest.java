package io.idefics.generation;

import java.util.List;

/**
 * A validated request for text.
 *
 * @param model the id of the model
 * @param prompt what to go on from
 * @param sampling how tokens are chosen
 * @param stopping when generation ends
 * @param output what the answer consists of
 * @param client who asks: clients take turns when there is not room for all; empty where nobody knows
 */
public record GenerationRequest(
        String model,
        Prompt prompt,
        SamplingParams sampling,
        StoppingCriteria stopping,
        OutputOptions output,
        String client) {

    /** A request for the next turn of a conversation, of nobody in particular. */
    public GenerationRequest(
            String model,
            List<Message> messages,
            SamplingParams sampling,
            StoppingCriteria stopping,
            int choices,
            int topLogprobs) {
        this(
                model,
                new Prompt.Conversation(messages, false),
                sampling,
                stopping,
                OutputOptions.choices(choices, topLogprobs),
                "");
    }

    /** The same request, asked by someone. */
    public GenerationRequest withClient(String name) {
        return new GenerationRequest(model, prompt, sampling, stopping, output, name);
    }
}
