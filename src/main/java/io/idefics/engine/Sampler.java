package io.idefics.engine;

import io.idefics.generation.SamplingParams;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Chooses the next token of one sequence from the logits of its last one.
 *
 * <p>The logits pass, in this order, the repetition penalty, presence and frequency penalties, the bias, the ban of
 * tokens, the temperature, top-k and top-p: the order of {@code generate()} in Hugging Face transformers, whose results
 * these steps reproduce. The same seed and the same logits give the same tokens.
 */
final class Sampler {

    private final SamplingParams params;
    private final int[] bannedIds;
    private final SplittableRandom random;
    /** The ids of prompt and answer, which the repetition penalty covers. */
    private final Set<Integer> seen = new HashSet<>();
    /** How often each id was generated, which the presence and frequency penalties cover. */
    private final Map<Integer, Integer> generated = new HashMap<>();

    /**
     * @param promptIds the prompt
     * @param bannedIds tokens that must never be generated
     */
    Sampler(SamplingParams params, int[] promptIds, int[] bannedIds) {
        this.params = params;
        this.bannedIds = bannedIds.clone();
        this.random =
                params.seed().isPresent() ? new SplittableRandom(params.seed().getAsLong()) : new SplittableRandom();
        for (int id : promptIds) {
            seen.add(id);
        }
    }

    /**
     * Chooses a token and remembers it.
     *
     * @param logits one value a token of the vocabulary; overwritten
     * @throws ArithmeticException if no token has a finite logit, or one has none at all
     */
    int next(float[] logits) {
        process(logits);
        int id = params.temperature() == 0 ? argmax(logits) : draw(probabilities(logits));
        seen.add(id);
        generated.merge(id, 1, Integer::sum);
        return id;
    }

    /** Applies every step before the draw in place; tokens that are out have negative infinity. */
    void process(float[] logits) {
        if (params.repetitionPenalty() != 1) {
            float penalty = (float) params.repetitionPenalty();
            for (int id : seen) {
                logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
            }
        }
        generated.forEach(
                (id, count) -> logits[id] -= (float) (params.presencePenalty() + params.frequencyPenalty() * count));
        params.logitBias().forEach((id, bias) -> {
            if (id < logits.length) {
                logits[id] += (float) (double) bias;
            }
        });
        for (int id : bannedIds) {
            logits[id] = Float.NEGATIVE_INFINITY;
        }
        requireFinite(logits);
        if (params.temperature() == 0) {
            return;
        }
        scale(logits);
        if (params.topK() > 0 && params.topK() < logits.length) {
            keepTopK(logits);
        }
        if (params.topP() < 1) {
            keepTopP(logits);
        }
    }

    /** The softmax of the logits. */
    static double[] probabilities(float[] logits) {
        float max = max(logits);
        double[] probabilities = new double[logits.length];
        double sum = 0;
        for (int i = 0; i < logits.length; i++) {
            probabilities[i] = Math.exp(logits[i] - max);
            sum += probabilities[i];
        }
        for (int i = 0; i < probabilities.length; i++) {
            probabilities[i] /= sum;
        }
        return probabilities;
    }

    /** Divides by the temperature, after a shift that keeps tiny temperatures from overflowing. */
    private void scale(float[] logits) {
        float max = max(logits);
        float shift = params.temperature() < 1e-3 ? max : 0;
        for (int i = 0; i < logits.length; i++) {
            double scaled = (logits[i] - shift) / params.temperature();
            logits[i] = logits[i] == Float.NEGATIVE_INFINITY ? Float.NEGATIVE_INFINITY : (float) scaled;
        }
    }

    private void keepTopK(float[] logits) {
        float[] sorted = logits.clone();
        Arrays.sort(sorted);
        float smallestKept = sorted[sorted.length - params.topK()];
        for (int i = 0; i < logits.length; i++) {
            if (logits[i] < smallestKept) {
                logits[i] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    /** Drops the least likely tokens whose probabilities together stay within 1 - top_p; the likeliest one is kept. */
    private void keepTopP(float[] logits) {
        double[] probabilities = probabilities(logits);
        double tail = 1 - params.topP();
        // A token below this share belongs to the tail for sure, and most of a vocabulary does: only the rest is
        // sorted.
        double negligible = tail / logits.length;
        double dropped = 0;
        long[] candidates = new long[logits.length];
        int count = 0;
        for (int id = 0; id < logits.length; id++) {
            if (probabilities[id] < negligible) {
                dropped += probabilities[id];
                logits[id] = Float.NEGATIVE_INFINITY;
            } else {
                // Positive floats sort like their bits; the id breaks ties.
                candidates[count++] = (long) Float.floatToIntBits((float) probabilities[id]) << 32 | id;
            }
        }
        Arrays.sort(candidates, 0, count);
        for (int i = 0; i < count - 1; i++) {
            int id = (int) candidates[i];
            dropped += probabilities[id];
            if (dropped > tail) {
                return;
            }
            logits[id] = Float.NEGATIVE_INFINITY;
        }
    }

    private int draw(double[] probabilities) {
        double point = random.nextDouble();
        int last = 0;
        for (int id = 0; id < probabilities.length; id++) {
            if (probabilities[id] > 0) {
                last = id;
                point -= probabilities[id];
                if (point < 0) {
                    return id;
                }
            }
        }
        return last; // rounding left a little over
    }

    private static int argmax(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    private static float max(float[] logits) {
        return logits[argmax(logits)];
    }

    private static void requireFinite(float[] logits) {
        boolean any = false;
        for (float logit : logits) {
            if (Float.isNaN(logit) || logit == Float.POSITIVE_INFINITY) {
                throw new ArithmeticException("the model computed a logit of " + logit);
            }
            any |= logit != Float.NEGATIVE_INFINITY;
        }
        if (!any) {
            throw new ArithmeticException("no token is left to choose from");
        }
    }
}
