package io.idefics.generation;

import java.util.Map;
import java.util.OptionalLong;

/**
 * How the next token is chosen from the logits.
 *
 * @param temperature divisor of the logits, 0 to 2; 0 is greedy
 * @param topP nucleus mass in (0, 1]; 1 keeps every token (Holtzman et al., 2020)
 * @param topK number of candidates kept; 0 keeps every token
 * @param minP the least probability of a candidate as a share of that of the likeliest one, 0 to 1; 0 keeps every token
 * @param typicalP mass in (0, 1] of the candidates whose information is nearest to the expected one; 1 keeps every
 *     token (Meister et al., 2022)
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
        double minP,
        double typicalP,
        double repetitionPenalty,
        double presencePenalty,
        double frequencyPenalty,
        Map<Integer, Double> logitBias,
        OptionalLong seed) {

    /** Always the most likely token. */
    public static final SamplingParams GREEDY =
            new SamplingParams(0, 1, 0, 0, 1, 1, 0, 0, Map.of(), OptionalLong.empty());

    public SamplingParams {
        logitBias = Map.copyOf(logitBias);
    }

    /** The same for one of several choices: the seed, where there is one, moves on by its index. */
    public SamplingParams forChoice(int index) {
        OptionalLong own = seed.isPresent() ? OptionalLong.of(seed.getAsLong() + index) : seed;
        return new SamplingParams(
                temperature,
                topP,
                topK,
                minP,
                typicalP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                logitBias,
                own);
    }
}
