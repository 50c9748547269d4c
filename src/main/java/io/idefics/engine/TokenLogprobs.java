package io.idefics.engine;

import java.util.List;

/**
 * How likely a token was to the model: natural logarithms of the softmax of its logits, before any step of sampling
 * changes them. This is what vLLM tells by default and transformers as {@code output_logits}, not the processed
 * {@code output_scores}; and without penalties, bias and temperature it is what OpenAI tells.
 *
 * @param logprob that of the chosen token, at most 0
 * @param top the most likely tokens, the likeliest first and of equals the one with the smaller id
 */
public record TokenLogprobs(double logprob, List<Alternative> top) {

    public TokenLogprobs {
        top = List.copyOf(top);
    }

    /**
     * A token that could have been chosen.
     *
     * @param id its id
     * @param logprob at most 0, negative infinity where the model excludes it
     */
    public record Alternative(int id, double logprob) {}
}
