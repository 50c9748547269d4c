package io.idefics.image;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import reactor.core.scheduler.Scheduler;

/** When a fetch has to be over: a time after it first had its turn. */
final class FetchDeadline {

    private final Duration limit;
    private final Scheduler clock;
    private volatile long end = Long.MIN_VALUE; // nanoseconds of the clock

    FetchDeadline(Duration limit, Scheduler clock) {
        this.limit = limit;
        this.clock = clock;
    }

    /** Lets the time run, if it does not yet. */
    void start() {
        if (end == Long.MIN_VALUE) {
            end = clock.now(TimeUnit.NANOSECONDS) + limit.toNanos();
        }
    }

    /** The time that is left; all of it before the start, never less than nothing. */
    Duration left() {
        return end == Long.MIN_VALUE ? limit : Duration.ofNanos(Math.max(0, end - clock.now(TimeUnit.NANOSECONDS)));
    }
}
