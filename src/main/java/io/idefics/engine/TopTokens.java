package io.idefics.engine;

import java.util.Arrays;

/** Finds the tokens with the largest logits without sorting the others. Not thread-safe. */
final class TopTokens {

    /*
     * A min-heap of the best so far, so that most logits cost one comparison with its root. An entry is a number that
     * orders like the logit and, among equals, like the id backwards: the float's bits made to order like the float
     * above, the inverted id below.
     */

    private long[] heap = {};
    private int size;

    /**
     * Selects; of equal logits those with smaller ids.
     *
     * @param logits values without NaN
     * @param count how many to select, at least 1; all where there are fewer
     */
    void select(float[] logits, int count) {
        size = Math.min(count, logits.length);
        if (heap.length < size) {
            heap = new long[size];
        }
        for (int id = 0; id < size; id++) {
            heap[id] = entry(logits[id], id);
        }
        for (int root = size / 2 - 1; root >= 0; root--) {
            sink(root);
        }
        float smallest = logit(heap[0]);
        for (int id = size; id < logits.length; id++) {
            if (logits[id] > smallest) {
                heap[0] = entry(logits[id], id);
                sink(0);
                smallest = logit(heap[0]);
            }
        }
    }

    /** The smallest logit of those that were selected. */
    float smallest() {
        return logit(heap[0]);
    }

    /** The ids that were selected, the one with the largest logit first. */
    int[] ids() {
        Arrays.sort(heap, 0, size); // still a heap
        int[] ids = new int[size];
        for (int i = 0; i < size; i++) {
            ids[i] = ~(int) heap[size - 1 - i];
        }
        return ids;
    }

    private void sink(int root) {
        long entry = heap[root];
        int parent = root;
        while (2 * parent + 1 < size) {
            int child = 2 * parent + 1;
            if (child + 1 < size && heap[child + 1] < heap[child]) {
                child++;
            }
            if (heap[child] >= entry) {
                break;
            }
            heap[parent] = heap[child];
            parent = child;
        }
        heap[parent] = entry;
    }

    private static long entry(float logit, int id) {
        int bits = Float.floatToIntBits(logit + 0f); // no negative zero
        return (long) ordered(bits) << 32 | (~id & 0xFFFF_FFFFL);
    }

    private static float logit(long entry) {
        return Float.intBitsToFloat(ordered((int) (entry >> 32)));
    }

    /** Turns the bits of floats into numbers that order like them, and back. */
    private static int ordered(int bits) {
        return bits ^ (bits >> 31 & Integer.MAX_VALUE);
    }
}
