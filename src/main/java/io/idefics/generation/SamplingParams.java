package io.idefics.generation;

import java.util.Map;
import java.util.OptionalLong;

/**
 * How the next token is chosen from the logits.
 *
 * @param temperature divisor of the logits, 0 to 2; 0 is greedy
 * @param topP nucleus mass in (0, 1]; 1 keeps every token
 * @param topK number of candidates kept; 0 keeps every token
 * @param repetitionPenalty above 0; 1 is off (Keskar et al., 2019, as in Hugging Face transformers)
 * @param presencePenalty subtracted once from each token that was already generated, -2 to 2
 * @param frequencyPenalty subtracted for each time that a token was already generated, -2 to 2
 * @param logitBias added to the logits of single token ids, -100 to 100
 * @param seed the seed of the random numbers; empty draws one
 */
public record SamplingParams(
        double temperature,
        double topP,
        int topK,
        double repetitionPenalty,
        double presencePenalty,
        double frequencyPenalty,
        Map<Integer, Double> logitBias,
        OptionalLong seed) {

    /** Always the most likely token. */
    public static final SamplingParams GREEDY = new SamplingParams(0, 1, 0, 1, 0, 0, Map.of(), OptionalLong.empty());

    public SamplingParams {
        logitBias = Map.copyOf(logitBias);
    }
}
