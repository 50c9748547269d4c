package io.idefics.admission;

import jakarta.validation.Valid;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How much each caller may ask for: the holder of a key, or an address where no key was shown. A key may have limits of its
 * own. 0 switches a limit off.
 *
 * @param requestsPerMinute the most requests a minute, also counting those that are refused for other reasons
 * @param tokensPerMinute the most tokens a minute, of prompts and answers together. They are charged when an answer ends,
 *     however it ends; one that has begun is never cut short, and what it took beyond the limit is missing afterwards
 * @param picturesPerMinute the most pictures a minute
 * @param concurrentRequests the most requests of one caller at the same time, counted by each replica for itself
 * @param redis where replicas count together
 */
@Validated
@ConfigurationProperties("idefics.limits")
public record LimitsProperties(
        @DefaultValue("6000") @Min(0) @Max(LimitsProperties.MOST) int requestsPerMinute,
        @DefaultValue("2000000") @Min(0) @Max(LimitsProperties.MOST) int tokensPerMinute,
        @DefaultValue("6000") @Min(0) @Max(LimitsProperties.MOST) int picturesPerMinute,
        @DefaultValue("0") @Min(0) @Max(LimitsProperties.MOST) int concurrentRequests,
        @DefaultValue @Valid Redis redis) {

    /** The largest limit, which leaves room for sums of two. */
    static final int MOST = 1_000_000_000;

    /**
     * A Redis that counts for all replicas.
     *
     * @param url {@code redis://}, {@code rediss://} or {@code redis-sentinel://}, with a password where one is needed; without
     *     a URL each replica counts for itself
     * @param timeout how long a request waits for an answer of Redis, at most
     * @param onFailure what happens to requests while Redis does not answer
     */
    public record Redis(
            @Nullable String url, @DefaultValue("100ms") Duration timeout, @DefaultValue("open") OnFailure onFailure) {}

    /** What happens to requests that cannot be counted where all replicas do. */
    public enum OnFailure {
        /** Each replica counts for itself meanwhile. */
        OPEN,
        /** They are refused with status 503. */
        CLOSED
    }

    /** The limits of a caller with these limits of its own. */
    Quota quota(ClientLimits own) {
        return new Quota(
                orElse(own.requestsPerMinute(), requestsPerMinute),
                orElse(own.tokensPerMinute(), tokensPerMinute),
                orElse(own.picturesPerMinute(), picturesPerMinute),
                orElse(own.concurrentRequests(), concurrentRequests));
    }

    private static int orElse(@Nullable Integer own, int common) {
        return own == null ? common : own;
    }
}
