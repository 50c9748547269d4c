package io.idefics.image;

import java.io.IOException;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * The time by which the decoding of one picture has to be done. Decoders ask for it wherever they make progress, so that
 * one that goes in circles stops.
 */
final class Deadline {

    private final LongSupplier clock;
    private final long end;

    /** @param clock nanoseconds since any time, as {@link System#nanoTime} */
    Deadline(Duration time, LongSupplier clock) {
        this.clock = clock;
        this.end = clock.getAsLong() + time.toNanos();
    }

    /** Whether the time is up, or nobody waits for the picture any more, which interrupts the thread. */
    boolean hasPassed() {
        return clock.getAsLong() - end >= 0 || Thread.currentThread().isInterrupted();
    }

    /** @throws IOException if the time is up; decoders pass it on in whatever way they fail */
    void check() throws IOException {
        if (hasPassed()) {
            throw new IOException("decoding takes too long");
        }
    }
}
