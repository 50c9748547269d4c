package io.idefics.admission;

import java.util.concurrent.atomic.AtomicLong;

/** Memory that all requests share; nobody waits. */
final class MemoryBudget {

    private final long capacity;
    private final AtomicLong taken = new AtomicLong();

    MemoryBudget(long capacity) {
        this.capacity = capacity;
    }

    /** Takes so many bytes, or gives them back if there are less than none of them; tells whether there was room. */
    boolean take(long bytes) {
        long before = taken.getAndUpdate(now -> fits(now, bytes) ? now + bytes : now);
        return fits(before, bytes);
    }

    long free() {
        return capacity - taken.get();
    }

    private boolean fits(long now, long bytes) {
        return bytes <= 0 || bytes <= capacity - now;
    }
}
