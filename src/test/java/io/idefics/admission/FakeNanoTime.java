package io.idefics.admission;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/** A clock that stands still until it is moved; like the real one it may begin anywhere, also below zero. */
final class FakeNanoTime implements LongSupplier {

    private final AtomicLong now;

    FakeNanoTime(long start) {
        now = new AtomicLong(start);
    }

    FakeNanoTime() {
        this(-123_456_789L);
    }

    void advance(Duration time) {
        now.addAndGet(time.toNanos());
    }

    @Override
    public long getAsLong() {
        return now.get();
    }
}
