package io.idefics.grammar;

/** A set of byte values. Immutable. */
record ByteSet(long w0, long w1, long w2, long w3) {

    static final ByteSet NONE = new ByteSet(0, 0, 0, 0);

    static ByteSet of(int value) {
        return range(value, value);
    }

    /** The values from one to another, both included. */
    static ByteSet range(int low, int high) {
        ByteSet set = NONE;
        for (int value = low; value <= high; value++) {
            set = set.with(value);
        }
        return set;
    }

    /** The values of the characters of a text in ASCII. */
    static ByteSet of(String characters) {
        ByteSet set = NONE;
        for (int i = 0; i < characters.length(); i++) {
            set = set.with(characters.charAt(i));
        }
        return set;
    }

    ByteSet with(int value) {
        long bit = 1L << value;
        return switch (value >> 6) {
            case 0 -> new ByteSet(w0 | bit, w1, w2, w3);
            case 1 -> new ByteSet(w0, w1 | bit, w2, w3);
            case 2 -> new ByteSet(w0, w1, w2 | bit, w3);
            default -> new ByteSet(w0, w1, w2, w3 | bit);
        };
    }

    boolean contains(int value) {
        long word =
                switch (value >> 6) {
                    case 0 -> w0;
                    case 1 -> w1;
                    case 2 -> w2;
                    default -> w3;
                };
        return (word >>> value & 1) != 0;
    }

    ByteSet or(ByteSet other) {
        return new ByteSet(w0 | other.w0, w1 | other.w1, w2 | other.w2, w3 | other.w3);
    }

    boolean meets(ByteSet other) {
        return (w0 & other.w0 | w1 & other.w1 | w2 & other.w2 | w3 & other.w3) != 0;
    }

    boolean isEmpty() {
        return equals(NONE);
    }
}
