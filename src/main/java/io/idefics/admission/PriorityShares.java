package io.idefics.admission;

import io.idefics.generation.Priority;
import java.util.concurrent.atomic.AtomicReference;

/**
 * How much of what all requests share those of each priority may use, so that there is room for higher ones. Room is kept
 * only for a priority of which there has been a request: where all requests have the same, they may use everything.
 */
public final class PriorityShares {

    private final double low;
    private final double normal;
    private final AtomicReference<Priority> highest = new AtomicReference<>(Priority.LOW);

    /**
     * Makes shares, of which nobody has used any.
     *
     * @param low the share that requests of low priority may fill, above 0 and at most 1
     * @param normal the share that requests of normal priority may fill, not less than {@code low}
     */
    public PriorityShares(double low, double normal) {
        if (!(low > 0 && low <= normal && normal <= 1)) {
            throw new IllegalArgumentException("idefics.admission.low-share is " + low
                    + " and idefics.admission.normal-share is " + normal
                    + " but must be above 0 and at most 1, and the first not more than the second");
        }
        this.low = low;
        this.normal = normal;
    }

    /** A request of that priority has come. */
    void come(Priority priority) {
        highest.accumulateAndGet(priority, (a, b) -> a.compareTo(b) >= 0 ? a : b);
    }

    /** How much of a whole may be in use once a request of that priority has taken its part; at least 1. */
    long most(long whole, Priority priority) {
        if (priority.compareTo(highest.get()) >= 0) {
            return whole;
        }
        return Math.max(1, (long) (whole * (priority == Priority.LOW ? low : normal)));
    }
}
