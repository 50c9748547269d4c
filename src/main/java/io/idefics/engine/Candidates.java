package io.idefics.engine;

import java.util.Arrays;

/**
 * The tokens that may be drawn next, with their weights: multiples of their probabilities, 1 for the likeliest one. Not
 * thread-safe.
 *
 * <p>The steps that remove candidates give what the logits warpers of Hugging Face transformers give for the same row;
 * the likeliest or most typical candidate always stays.
 */
final class Candidates {

    /*
     * Top-p and typical-p keep the first candidates in some order, usually few of many. A heap gives them in that
     * order one by one, so the others are never sorted. Of equal candidates the one with the smaller id is first, so
     * the outcome depends on the logits alone.
     */

    /**
     * Candidates of a smaller weight than this power of e are left out at once: even a million of them change no
     * probability of the others in double precision.
     */
    private static final double NEGLIGIBLE = -52;

    private int[] ids = {};
    /** The logarithms of the weights, as they come from the logits. */
    private double[] scaled = {};

    private double[] weights = {};
    private int size;

    /** The heap: indices of candidates, and for each candidate its key, smaller ones first. */
    private int[] heap = {};

    private double[] keys = {};

    /** Where the candidates go that are kept, in the order in which they are found; swapped with the above. */
    private int[] keptIds = {};

    private double[] keptScaled = {};
    private double[] keptWeights = {};

    /**
     * Takes the tokens of a row.
     *
     * @param logits finite values, or negative infinity for tokens that are out
     * @param max the largest of them, finite
     * @param smallest the smallest that is taken
     * @param temperature above 0
     */
    void take(float[] logits, float max, float smallest, double temperature) {
        reserve(logits.length);
        double least = Math.max(smallest, max + NEGLIGIBLE * temperature);
        size = 0;
        for (int id = 0; id < logits.length; id++) {
            if (logits[id] >= least) {
                // The largest becomes 0, so no temperature is too small: nothing overflows upwards.
                double logWeight = ((double) logits[id] - max) / temperature;
                ids[size] = id;
                scaled[size] = logWeight;
                weights[size] = Math.exp(logWeight);
                size++;
            }
        }
    }

    /** Keeps the likeliest candidates until they have this share of all probability, in (0, 1). */
    void keepTopP(double share) {
        double total = total();
        // Lighter ones weigh less all together than what is to go; that is most of a vocabulary.
        keepFrom((1 - share) * total / size);
        for (int i = 0; i < size; i++) {
            keys[i] = -weights[i];
        }
        keepFirst(share * total, false);
    }

    /** Keeps the candidates that are at least this share as likely as the likeliest one, 0 to 1. */
    void keepMinP(double share) {
        keepFrom(share);
    }

    /**
     * Keeps the candidates whose information is nearest to the expected information, the entropy, until they have this
     * share of all probability, in (0, 1) (Meister et al., 2022).
     */
    void keepTypical(double share) {
        double total = total();
        double logTotal = Math.log(total);
        double entropy = 0;
        for (int i = 0; i < size; i++) {
            entropy += weights[i] / total * (logTotal - scaled[i]);
        }
        for (int i = 0; i < size; i++) {
            keys[i] = Math.abs(logTotal - scaled[i] - entropy);
        }
        keepFirst(share * total, true);
    }

    /**
     * Draws a candidate.
     *
     * @param point where in the sum of the probabilities, 0 to below 1
     * @return its id
     */
    int draw(double point) {
        double left = point * total();
        for (int i = 0; i < size - 1; i++) {
            left -= weights[i];
            if (left < 0) {
                return ids[i];
            }
        }
        return ids[size - 1];
    }

    /** The logarithms of the weights by token id, negative infinity for those that are out; for tests. */
    double[] logWeights(int vocabularySize) {
        double[] result = new double[vocabularySize];
        Arrays.fill(result, Double.NEGATIVE_INFINITY);
        for (int i = 0; i < size; i++) {
            result[ids[i]] = scaled[i];
        }
        return result;
    }

    private double total() {
        double total = 0;
        for (int i = 0; i < size; i++) {
            total += weights[i];
        }
        return total;
    }

    /** Keeps the candidates of at least this weight. */
    private void keepFrom(double weight) {
        int kept = 0;
        for (int i = 0; i < size; i++) {
            if (weights[i] >= weight) {
                ids[kept] = ids[i];
                scaled[kept] = scaled[i];
                weights[kept] = weights[i];
                kept++;
            }
        }
        size = kept;
    }

    /** Keeps the candidates with the smallest keys until they reach the weight; ties with the last one too, if asked. */
    private void keepFirst(double wanted, boolean ties) {
        int left = size;
        for (int i = 0; i < size; i++) {
            heap[i] = i;
        }
        for (int root = left / 2 - 1; root >= 0; root--) {
            sink(root, left);
        }
        double reached = 0;
        double last = 0;
        int kept = 0;
        while (left > 0 && (reached < wanted || kept == 0 || ties && keys[heap[0]] == last)) {
            int next = heap[0];
            heap[0] = heap[--left];
            sink(0, left);
            last = keys[next];
            reached += weights[next];
            keptIds[kept] = ids[next];
            keptScaled[kept] = scaled[next];
            keptWeights[kept] = weights[next];
            kept++;
        }
        swap();
        size = kept;
    }

    private void sink(int root, int end) {
        int candidate = heap[root];
        int parent = root;
        while (2 * parent + 1 < end) {
            int child = 2 * parent + 1;
            if (child + 1 < end && isBefore(heap[child + 1], heap[child])) {
                child++;
            }
            if (!isBefore(heap[child], candidate)) {
                break;
            }
            heap[parent] = heap[child];
            parent = child;
        }
        heap[parent] = candidate;
    }

    private boolean isBefore(int a, int b) {
        return keys[a] < keys[b] || keys[a] == keys[b] && ids[a] < ids[b];
    }

    private void swap() {
        int[] freeIds = ids;
        double[] freeScaled = scaled;
        double[] freeWeights = weights;
        ids = keptIds;
        scaled = keptScaled;
        weights = keptWeights;
        keptIds = freeIds;
        keptScaled = freeScaled;
        keptWeights = freeWeights;
    }

    private void reserve(int capacity) {
        if (ids.length < capacity) {
            ids = new int[capacity];
            scaled = new double[capacity];
            weights = new double[capacity];
            heap = new int[capacity];
            keys = new double[capacity];
            keptIds = new int[capacity];
            keptScaled = new double[capacity];
            keptWeights = new double[capacity];
        }
    }
}
