package io.idefics.grammar;

/** Bounds the time that following automata takes. Not thread-safe. */
final class WalkBudget {

    private final int limit;
    private int work;

    /**
     * Makes a full budget.
     *
     * @param limit the most frames that may be looked at, or a few more
     */
    WalkBudget(int limit) {
        this.limit = limit;
    }

    void spend(int frames) {
        work = (int) Math.min(Integer.MAX_VALUE, (long) work + frames);
    }

    boolean isSpent() {
        return work > limit;
    }

    /** The frames that were looked at. */
    int work() {
        return work;
    }
}
