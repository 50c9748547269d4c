package io.idefics.grammar;

import java.util.Arrays;

/** A set of token ids; small ones take little memory. Immutable. */
final class TokenSet {

    /** A set of this many ids takes less memory as a list. */
    private static final int SMALL = 512;

    private final int[] few;
    private final long[] bits;

    private TokenSet(int[] few, long[] bits) {
        this.few = few;
        this.bits = bits;
    }

    /** The set of the ids whose bit is set. */
    static TokenSet of(long[] bits) {
        int count = 0;
        for (long word : bits) {
            count += Long.bitCount(word);
        }
        if (count > SMALL) {
            return new TokenSet(new int[0], bits.clone());
        }
        int[] few = new int[count];
        int next = 0;
        for (int i = 0; i < bits.length; i++) {
            for (long word = bits[i]; word != 0; word &= word - 1) {
                few[next++] = i * Long.SIZE + Long.numberOfTrailingZeros(word);
            }
        }
        return new TokenSet(few, new long[0]);
    }

    /** Sets the bits of these ids. */
    void addTo(long[] target) {
        for (int id : few) {
            add(target, id);
        }
        for (int i = 0; i < bits.length; i++) {
            target[i] |= bits[i];
        }
    }

    /** Clears the bits of these ids. */
    void removeFrom(long[] target) {
        for (int id : few) {
            target[id >> 6] &= ~(1L << id);
        }
        for (int i = 0; i < bits.length; i++) {
            target[i] &= ~bits[i];
        }
    }

    /** Room for the bits of that many ids. */
    static long[] bits(int size) {
        return new long[(size + Long.SIZE - 1) / Long.SIZE];
    }

    static void add(long[] bits, int id) {
        bits[id >> 6] |= 1L << id;
    }

    static boolean contains(long[] bits, int id) {
        return id >> 6 < bits.length && (bits[id >> 6] & 1L << id) != 0;
    }

    @Override
    public String toString() {
        return bits.length > 0 ? "many" : Arrays.toString(few);
    }
}
