package io.idefics.admission;

import org.jspecify.annotations.Nullable;

/**
 * How much one client may ask for; what is not given is as for all others, and 0 is no limit.
 *
 * @param requestsPerMinute the most requests a minute
 * @param tokensPerMinute the most tokens of prompts and answers a minute
 * @param picturesPerMinute the most pictures a minute
 * @param concurrentRequests the most requests at the same time
 */
public record ClientLimits(
        @Nullable Integer requestsPerMinute,
        @Nullable Integer tokensPerMinute,
        @Nullable Integer picturesPerMinute,
        @Nullable Integer concurrentRequests) {

    /** A client that has the same limits as all others. */
    public static final ClientLimits NONE_OF_ITS_OWN = new ClientLimits(null, null, null, null);
}
