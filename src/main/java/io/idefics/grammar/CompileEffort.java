package io.idefics.grammar;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;

/** Bounds the memory and the time that compiling one format takes. Not thread-safe. */
final class CompileEffort {

    /** The most parts of a grammar. */
    private static final int MAX_SIZE = 500_000;

    /** The most steps, each well below a microsecond. */
    private static final long MAX_WORK = 10_000_000;

    private final String param;
    private long size;
    private long work;

    /**
     * Makes a full budget.
     *
     * @param param the path of the format in the request, for the error
     */
    CompileEffort(String param) {
        this.param = param;
    }

    /** Takes from the budget of memory. */
    void size(int parts) {
        size += parts;
        if (size > MAX_SIZE) {
            throw tooLarge("more than " + MAX_SIZE + " parts");
        }
    }

    /** Takes from the budget of time. */
    void work(long steps) {
        if (!tryWork(steps)) {
            throw tooLarge("more than " + MAX_WORK + " steps");
        }
    }

    /** Takes from the budget of time unless it would be overdrawn. */
    boolean tryWork(long steps) {
        if (work + steps > MAX_WORK) {
            return false;
        }
        work += steps;
        return true;
    }

    private GenerationException tooLarge(String what) {
        return new GenerationException(
                ErrorType.INVALID_VALUE, param + " is too large or too ambiguous: it takes " + what + ".", param);
    }
}
