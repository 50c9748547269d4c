package io.idefics.admission;

import io.github.resilience4j.ratelimiter.RateLimiterConfig;
import io.github.resilience4j.ratelimiter.internal.AtomicRateLimiter;
import java.time.Duration;
import java.util.function.LongSupplier;

/** One limit of one caller, counted here: so much in each minute since this was made. */
final class Window {

    static final Duration PERIOD = Duration.ofMinutes(1);

    private static final long PERIOD_NANOS = PERIOD.toNanos();
    private static final Duration FOREVER = Duration.ofNanos(Long.MAX_VALUE);

    private final AtomicRateLimiter limiter;
    private final LongSupplier nanoTime;
    private final long start;
    private final int limit;

    private Window(int limit, Duration patience, LongSupplier nanoTime) {
        RateLimiterConfig config = RateLimiterConfig.custom()
                .limitForPeriod(limit)
                .limitRefreshPeriod(PERIOD)
                .timeoutDuration(patience)
                .build();
        this.limit = limit;
        this.nanoTime = nanoTime;
        this.start = nanoTime.getAsLong();
        this.limiter = new AtomicRateLimiter("", config, nanoTime::getAsLong);
    }

    /** A limit of which nobody takes what is not there. */
    static Window strict(int limit, LongSupplier nanoTime) {
        return new Window(limit, Duration.ZERO, nanoTime);
    }

    /** A limit that may be overdrawn. */
    static Window overdrawn(int limit, LongSupplier nanoTime) {
        return new Window(limit, FOREVER, nanoTime);
    }

    /** Takes all of so much, or nothing; of a limit that may be overdrawn always all. */
    Balance take(int amount) {
        boolean taken = limiter.reservePermission(amount) >= 0;
        return balance(taken, amount);
    }

    /** Looks whether there is anything left. */
    Balance look() {
        return balance(limiter.getMetrics().getAvailablePermissions() > 0, 1);
    }

    /** How long it takes until all of the limit is there again. */
    Duration reset() {
        return untilThereAre(limit, limiter.getMetrics().getAvailablePermissions());
    }

    private Balance balance(boolean taken, int amount) {
        int remaining = limiter.getMetrics().getAvailablePermissions();
        Duration wait = taken ? Duration.ZERO : untilThereAre(amount, remaining);
        return new Balance(limit, taken, remaining, wait, untilThereAre(limit, remaining));
    }

    private Duration untilThereAre(int amount, long remaining) {
        if (remaining >= amount) {
            return Duration.ZERO;
        }
        long nextMinute = PERIOD_NANOS - (nanoTime.getAsLong() - start) % PERIOD_NANOS;
        long furtherMinutes = (amount - remaining - 1) / limit;
        return Duration.ofNanos(nextMinute).plus(PERIOD.multipliedBy(furtherMinutes));
    }
}
