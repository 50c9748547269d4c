package io.idefics.engine;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How the replicas of a model share the work and come back after a failure.
 *
 * @param maxAffinityLead how many sequences busier than the least busy replica one may be and still get a conversation
 *     that it has in its cache
 * @param affinityBlocks how many blocks of 16 prompt tokens are remembered with the replica that ran them
 * @param maxRestarts how often a replica is built anew within the restart window; after that it stays out
 * @param restartWindow how long a restart counts
 * @param restartDelay the time before the first restart; each further one within the window waits twice as long
 * @param maxRestartDelay the longest time before a restart
 */
@Validated
@ConfigurationProperties("idefics.pool")
public record PoolProperties(
        @DefaultValue("4") @Min(0) @Max(100_000) int maxAffinityLead,
        @DefaultValue("65536") @Min(1) @Max(100_000_000) int affinityBlocks,
        @DefaultValue("5") @Min(0) @Max(1000) int maxRestarts,
        @DefaultValue("10m") Duration restartWindow,
        @DefaultValue("1s") Duration restartDelay,
        @DefaultValue("1m") Duration maxRestartDelay) {

    public PoolProperties {
        requirePositive("restart-window", restartWindow);
        requirePositive("restart-delay", restartDelay);
        requirePositive("max-restart-delay", maxRestartDelay);
    }

    /** The time before a restart that has so many others before it in the window. */
    Duration delay(int before) {
        Duration delay = restartDelay;
        for (int i = 0; i < before && delay.compareTo(maxRestartDelay) < 0; i++) {
            delay = delay.multipliedBy(2);
        }
        return delay.compareTo(maxRestartDelay) < 0 ? delay : maxRestartDelay;
    }

    private static void requirePositive(String property, Duration value) {
        if (value.isNegative() || value.isZero()) {
            throw new IllegalArgumentException("idefics.pool." + property + " is " + value + ", must be above 0");
        }
    }
}
