package io.idefics.grammar;

import org.jspecify.annotations.Nullable;

/**
 * A state of an automaton over the bytes of UTF-8. From each state some text leads to an accepting one. Equal states are
 * the same object. Safe for use by several threads.
 */
abstract class ByteState {

    /** The state after a byte; null where no text of the automaton goes on so. */
    abstract @Nullable ByteState next(int value);

    /**
     * The state after a byte, as far as finding it is within a budget.
     *
     * @param budget null for none
     */
    @Nullable
    ByteState next(int value, @Nullable WalkBudget budget) {
        return next(value);
    }

    /** Whether the text so far is one of the automaton. */
    abstract boolean accepting();

    /**
     * How many tokens at most a text needs that leads to an accepting state, 0 in one. In any other state some token
     * leads to a state that needs at least one less.
     */
    abstract int cost();

    /**
     * A state that the same tokens lead on from and in which accepting states are reached after the same bytes of them;
     * many states may share one.
     */
    ByteState canonical() {
        return this;
    }

    /** How much more a state after a token may need than the one that it leads to from {@link #canonical}, at most. */
    int slack() {
        return 0;
    }

    /** The state after the bytes. */
    final @Nullable ByteState after(byte[] bytes) {
        ByteState state = this;
        for (byte value : bytes) {
            state = state.next(value & 0xFF);
            if (state == null) {
                return null;
            }
        }
        return state;
    }
}
