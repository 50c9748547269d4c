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
 * @param client who asks
 */
public record GenerationRequest(
        String model,
        Prompt prompt,
        SamplingParams sampling,
        StoppingCriteria stopping,
        OutputOptions output,
        Client client) {

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
                Client.NOBODY);
    }

    /** The same request, asked by someone. */
    public GenerationRequest withClient(Client client) {
        return new GenerationRequest(model, prompt, sampling, stopping, output, client);
    }
}
