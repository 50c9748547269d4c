package io.idefics.image;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A budget of memory shared by everything that decodes: who does not fit waits, first come first served. */
final class MemoryGate {

    private static final int UNIT_BYTES = 1024;

    private final Semaphore units;
    private final int capacity;

    MemoryGate(long bytes) {
        if (bytes < UNIT_BYTES) {
            throw new IllegalArgumentException(
                    "the memory for decoding is " + bytes + " bytes; at least 1024 are needed");
        }
        this.capacity = (int) Math.min(Integer.MAX_VALUE, bytes / UNIT_BYTES);
        this.units = new Semaphore(capacity, true);
    }

    /**
     * Waits for room; a demand beyond the whole budget waits until it is alone.
     *
     * @param patience how long to wait
     * @return the room taken, to be closed when the memory is no longer needed
     * @throws TimeoutException if others do not leave the room in time
     */
    Room enter(long bytes, Duration patience) throws InterruptedException, TimeoutException {
        int needed = (int) Math.min(capacity, (bytes + UNIT_BYTES - 1) / UNIT_BYTES);
        if (!units.tryAcquire(needed, patience.toNanos(), TimeUnit.NANOSECONDS)) {
            throw new TimeoutException();
        }
        return () -> units.release(needed);
    }

    long freeBytes() {
        return (long) units.availablePermits() * UNIT_BYTES;
    }

    /** Memory taken from the budget. */
    interface Room extends AutoCloseable {

        @Override
        void close();
    }
}
