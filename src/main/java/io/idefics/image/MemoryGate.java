package io.idefics.image;

import java.util.concurrent.Semaphore;

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
     * @return the room taken, to be closed when the memory is no longer needed
     */
    Room enter(long bytes) throws InterruptedException {
        int needed = (int) Math.min(capacity, (bytes + UNIT_BYTES - 1) / UNIT_BYTES);
        units.acquire(needed);
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
