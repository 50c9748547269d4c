package io.idefics.engine;

import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** Remembers which replica ran which beginnings of prompts and so has them in its cache. Not thread-safe. */
final class PrefixAffinity {

    /*
     * A prompt is cut into blocks of 16 tokens, as the cache of an engine is. The key of a block is a hash of all that its
     * keys and values depend on: its tokens, the pictures that they see, and by the key before it everything in front of
     * it. Two prompts share a key exactly where they share the beginning up to there, so the last known key of a prompt
     * is the end of its longest known prefix. Keys have 64 bits; should two prompts collide, one runs where its cache is
     * not, and nothing worse happens.
     *
     * What an engine forgets stays here until it is the oldest; the map is a guess about the caches, never their truth.
     */

    static final int BLOCK_TOKENS = 16;

    private static final long PRIME = 0x9E3779B97F4A7C15L;

    private final Map<Long, Integer> replicaOfBlock;

    /** The replica of each prompt that somebody still holds, for its other choices. */
    private final Map<ModelInput, Integer> replicaOfPrompt = new WeakHashMap<>();

    PrefixAffinity(int maxBlocks) {
        this.replicaOfBlock = new LinkedHashMap<>(16, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<Long, Integer> eldest) {
                return size() > maxBlocks;
            }
        };
    }

    /** The keys of the full blocks of a prompt, from the first to the last. */
    static long[] keys(ModelInput input) {
        long[] pictures =
                input.images().stream().mapToLong(PrefixAffinity::content).toArray();
        long[] keys = new long[input.inputIds().length / BLOCK_TOKENS];
        long key = PRIME;
        for (int block = 0; block < keys.length; block++) {
            for (int i = block * BLOCK_TOKENS; i < (block + 1) * BLOCK_TOKENS; i++) {
                int image = input.imageIndex()[i];
                key = mixed(mixed(key, input.inputIds()[i]), image < 0 ? 0 : pictures[image]);
            }
            keys[block] = key;
        }
        return keys;
    }

    /** The replica that was given this very prompt, for another choice of the same request; null if there is none. */
    @Nullable
    Integer replicaOf(ModelInput input) {
        return replicaOfPrompt.get(input);
    }

    /** The eligible replica that has the longest beginning of the prompt; null when none has any. */
    @Nullable
    Integer longestMatch(long[] keys, IntPredicate eligible) {
        for (int block = keys.length - 1; block >= 0; block--) {
            Integer replica = replicaOfBlock.get(keys[block]);
            if (replica != null && eligible.test(replica)) {
                return replica;
            }
        }
        return null;
    }

    void record(ModelInput input, long[] keys, int replica) {
        replicaOfPrompt.put(input, replica);
        for (int block = keys.length - 1; block >= 0; block--) { // so that of one prompt the longest prefixes go first
            replicaOfBlock.put(keys[block], replica);
        }
    }

    /** Forgets everything of a replica, whose cache is lost. */
    void forget(int replica) {
        replicaOfBlock.values().removeIf(known -> known == replica);
        replicaOfPrompt.values().removeIf(known -> known == replica);
    }

    int size() {
        return replicaOfBlock.size();
    }

    private static long content(PixelValues picture) {
        return Long.parseUnsignedLong(picture.digest().substring(0, 16), 16);
    }

    /** The finaliser of SplitMix64 (Steele, Lea and Flood, 2014) over a running key. */
    private static long mixed(long key, long value) {
        long z = (key ^ value) * PRIME + value;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
