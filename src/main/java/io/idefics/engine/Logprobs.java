package io.idefics.engine;

import io.idefics.engine.TokenLogprobs.Alternative;
import java.util.ArrayList;
import java.util.List;

/** The log-probabilities of one row of logits, remembered from before sampling changes it. Not thread-safe. */
final class Logprobs {

    private float[] raw = {};
    private double logSumOfExponentials;
    private List<Alternative> alternatives = List.of();

    /**
     * Takes in a row.
     *
     * @param count how many alternatives to find
     * @throws LogitsException if a logit is NaN or positive infinity, or all are negative infinity
     */
    void read(float[] logits, int count, TopTokens top) {
        float max = logits[Sampler.argmax(logits)];
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp((double) logit - max);
        }
        logSumOfExponentials = max + Math.log(sum);
        if (raw.length < logits.length) {
            raw = new float[logits.length];
        }
        System.arraycopy(logits, 0, raw, 0, logits.length);
        alternatives = new ArrayList<>(count);
        if (count > 0) {
            top.select(logits, count);
            for (int id : top.ids()) {
                alternatives.add(new Alternative(id, of(id)));
            }
        }
    }

    /** What there is to tell of the token that was chosen. */
    TokenLogprobs chosen(int id) {
        return new TokenLogprobs(of(id), alternatives);
    }

    private double of(int id) {
        return Math.min(raw[id] - logSumOfExponentials, 0); // rounding may leave a little above 0
    }
}
