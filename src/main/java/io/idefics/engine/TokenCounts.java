package io.idefics.engine;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** The different tokens of a sequence, and how often each of them was generated. Not thread-safe. */
final class TokenCounts {

    private int[] ids = new int[64];
    private int[] generated = new int[64];
    private int size;
    private final Map<Integer, Integer> indexOf = new HashMap<>();

    void addPrompt(int[] promptIds) {
        for (int id : promptIds) {
            index(id);
        }
    }

    void addGenerated(int id) {
        int index = index(id); // may replace the arrays
        generated[index]++;
    }

    /** The number of different tokens. */
    int size() {
        return size;
    }

    /** The id of one of them, by an index from 0. */
    int id(int index) {
        return ids[index];
    }

    /** How often it was generated; 0 for one of the prompt alone. */
    int generated(int index) {
        return generated[index];
    }

    private int index(int id) {
        Integer known = indexOf.putIfAbsent(id, size);
        if (known != null) {
            return known;
        }
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
            generated = Arrays.copyOf(generated, 2 * size);
        }
        ids[size] = id;
        return size++;
    }
}
