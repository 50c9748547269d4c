package io.idefics.admission;

import io.github.bucket4j.TimeMeter;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * The time of the Redis server, by which all replicas agree on when a minute ends, whatever their own clocks say. Between
 * two looks at the server it goes on with {@link System#nanoTime()}.
 */
final class RedisClock implements TimeMeter {

    private final LongSupplier nanoTime;
    private volatile long ahead;

    RedisClock(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /**
     * Sets the clock.
     *
     * @param micros what Redis said, since the epoch
     * @param asked the nanosecond in which it was asked
     */
    void set(long micros, long asked) {
        long middle = asked + (nanoTime.getAsLong() - asked) / 2;
        ahead = TimeUnit.MICROSECONDS.toNanos(micros) - middle;
    }

    @Override
    public long currentTimeNanos() {
        return nanoTime.getAsLong() + ahead;
    }

    @Override
    public boolean isWallClockBased() {
        return true;
    }
}
