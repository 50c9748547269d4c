package io.idefics.engine;

import io.idefics.generation.SamplingParams;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Chooses the tokens of one sequence from the logits of its last one. Not thread-safe.
 *
 * <p>Where there is a constraint, the tokens that it excludes are out first. Then the logits pass, in this order, the bias, the repetition penalty, the presence and frequency penalties, the ban of
 * tokens, the ban of the tokens that end the sequence while it is too short, the temperature, top-k, top-p, min-p and
 * typical-p: the order of {@code generate()} in Hugging Face transformers 4.57, whose results these steps reproduce;
 * the presence and frequency penalties, which it lacks, stand where the repetition penalty does. The same seed and the
 * same logits give the same tokens, whatever other sequences there are.
 */
final class Sampler {

    private static final int[] NONE = {};

    private final SamplingParams params;
    private final int topLogprobs;
    private final SplittableRandom random;
    private final int[] biasedIds;
    private final float[] biases;
    private final int[] bannedIds;
    /** Banned until {@link #minTokens} tokens were generated. */
    private final int[] stopIds;

    private final int minTokens;
    private final int maxTokens;
    private final @Nullable TokenConstraint constraint;
    /** What the penalties cover; null where there are none. */
    private final @Nullable TokenCounts counts;

    private int generated;

    Sampler(SequenceRequest request) {
        this.params = request.sampling();
        this.topLogprobs = request.topLogprobs();
        this.random =
                params.seed().isPresent() ? new SplittableRandom(params.seed().getAsLong()) : new SplittableRandom();
        this.biasedIds = new int[params.logitBias().size()];
        this.biases = new float[biasedIds.length];
        int i = 0;
        for (Map.Entry<Integer, Double> bias : params.logitBias().entrySet()) {
            biasedIds[i] = bias.getKey();
            biases[i++] = bias.getValue().floatValue();
        }
        this.bannedIds = request.bannedIds().clone();
        this.minTokens = request.minTokens();
        this.maxTokens = request.maxTokens();
        this.constraint = request.constraint();
        this.stopIds = minTokens == 0
                ? NONE
                : request.stopIds().stream().mapToInt(Integer::intValue).toArray();
        this.counts = counts(params, request.input().inputIds());
    }

    /**
     * Chooses a token and remembers it.
     *
     * @param logits one value a token of the vocabulary; overwritten
     * @param scratch buffers that other sequences may use before and after
     * @throws LogitsException if a logit is NaN or positive infinity, or none is left
     */
    SequenceEvent.Token next(float[] logits, SamplerScratch scratch) {
        boolean tellsLogprobs = topLogprobs >= 0;
        if (tellsLogprobs) {
            scratch.logprobs().read(logits, topLogprobs, scratch.top());
        }
        if (constraint != null) {
            constraint.mask(logits, maxTokens - generated);
        }
        edit(logits);
        int best = argmax(logits);
        int id = params.temperature() == 0
                ? best
                : candidates(logits, logits[best], scratch).draw(random.nextDouble());
        generated++;
        if (constraint != null) {
            constraint.accept(id);
        }
        if (counts != null) {
            counts.addGenerated(id);
        }
        return new SequenceEvent.Token(id, tellsLogprobs ? scratch.logprobs().chosen(id) : null);
    }

    /** Applies the steps that concern single tokens, in place; tokens that are out have negative infinity. */
    void edit(float[] logits) {
        for (int i = 0; i < biasedIds.length; i++) {
            if (biasedIds[i] < logits.length) {
                set(logits, biasedIds[i], number(logits, biasedIds[i]) + biases[i]);
            }
        }
        if (counts != null) {
            penalise(logits, counts);
        }
        for (int id : bannedIds) {
            exclude(logits, id);
        }
        if (generated < minTokens && !mustEnd(logits)) {
            for (int id : stopIds) {
                exclude(logits, id);
            }
        }
    }

    /** Whether a constraint leaves nothing but the end. */
    private boolean mustEnd(float[] logits) {
        if (constraint == null) {
            return false;
        }
        for (int id = 0; id < logits.length; id++) {
            if (logits[id] != Float.NEGATIVE_INFINITY && !ends(id)) {
                return false;
            }
        }
        return true;
    }

    private boolean ends(int id) {
        for (int stopId : stopIds) {
            if (stopId == id) {
                return true;
            }
        }
        return false;
    }

    /**
     * The tokens that may be drawn.
     *
     * @param logits as {@link #edit} leaves them
     * @param max the largest of them
     */
    Candidates candidates(float[] logits, float max, SamplerScratch scratch) {
        float smallest = -Float.MAX_VALUE;
        if (params.topK() > 0 && params.topK() < logits.length) {
            scratch.top().select(logits, params.topK());
            smallest = Math.max(smallest, scratch.top().smallest());
        }
        Candidates candidates = scratch.candidates();
        candidates.take(logits, max, smallest, params.temperature());
        if (params.topP() < 1) {
            candidates.keepTopP(params.topP());
        }
        if (params.minP() > 0) {
            candidates.keepMinP(params.minP());
        }
        if (params.typicalP() < 1) {
            candidates.keepTypical(params.typicalP());
        }
        return candidates;
    }

    /**
     * The first of the largest logits.
     *
     * @throws LogitsException if a logit is NaN or positive infinity, or all are negative infinity
     */
    static int argmax(float[] logits) {
        float max = Float.NEGATIVE_INFINITY;
        int best = -1;
        for (int id = 0; id < logits.length; id++) {
            if (!(logits[id] <= max)) { // larger, or NaN
                max = number(logits, id);
                best = id;
            }
        }
        if (best < 0) {
            throw LogitsException.nothingLeft();
        }
        return best;
    }

    private void penalise(float[] logits, TokenCounts seen) {
        float repetition = Math.max((float) params.repetitionPenalty(), Float.MIN_NORMAL);
        for (int i = 0; i < seen.size(); i++) {
            int id = seen.id(i);
            if (id >= logits.length) {
                continue;
            }
            float logit = number(logits, id);
            if (repetition != 1) {
                logit = set(logits, id, logit < 0 ? logit * repetition : logit / repetition);
            }
            int count = seen.generated(i);
            if (count > 0) {
                set(logits, id, logit - (float) (params.presencePenalty() + params.frequencyPenalty() * count));
            }
        }
    }

    /** Sets a logit to a finite number, however strong the penalty; one that is out stays out. */
    private static float set(float[] logits, int id, float value) {
        if (logits[id] != Float.NEGATIVE_INFINITY) {
            logits[id] = Math.max(-Float.MAX_VALUE, Math.min(Float.MAX_VALUE, value));
        }
        return logits[id];
    }

    private static void exclude(float[] logits, int id) {
        if (id < logits.length) {
            number(logits, id); // a fault of the model must not be hidden
            logits[id] = Float.NEGATIVE_INFINITY;
        }
    }

    private static float number(float[] logits, int id) {
        float logit = logits[id];
        if (!(logit < Float.POSITIVE_INFINITY)) {
            throw LogitsException.notFinite(id, logit);
        }
        return logit;
    }

    private static @Nullable TokenCounts counts(SamplingParams params, int[] promptIds) {
        if (params.repetitionPenalty() == 1 && params.presencePenalty() == 0 && params.frequencyPenalty() == 0) {
            return null;
        }
        TokenCounts counts = new TokenCounts();
        if (params.repetitionPenalty() != 1) {
            counts.addPrompt(promptIds);
        }
        return counts;
    }
}
