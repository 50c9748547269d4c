package io.idefics.admission;

import jakarta.validation.constraints.Min;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Who may come in.
 *
 * @param maxConcurrentRequests the most chat requests that are served at the same time, from when their body is
 *     there until their answer is written
 * @param maxIncomingBodies the most requests whose bodies are on their way at the same time; for a further one, one is
 *     given up that is slow or of a client with many
 * @param maxFetchingRequests the most requests that wait for pictures from the network, in whose place others are served
 * @param maxBodyMemory the most bytes of the bodies of all these requests together; by default an eighth of the Java heap,
 *     since a body takes several times its size while it is read
 * @param maxAdmittedTokens the most tokens that all these requests together may take: those of the prompt and the most of
 *     each answer, and 64 for each picture; by default 4096 for each request, and those of 64 requests at
 *     least
 * @param lowShare how much of requests and tokens may be in use when one of low priority is admitted, so that there is room
 *     for higher ones; this holds once there has been a request of a higher priority
 * @param normalShare the same for normal priority
 */
@Validated
@ConfigurationProperties("idefics.admission")
public record AdmissionProperties(
        @DefaultValue("64") @Min(1) int maxConcurrentRequests,
        @DefaultValue("256") @Min(1) int maxIncomingBodies,
        @DefaultValue("256") @Min(1) int maxFetchingRequests,
        @Nullable DataSize maxBodyMemory,
        @Nullable @Min(1) Long maxAdmittedTokens,
        @DefaultValue("0.8") double lowShare,
        @DefaultValue("0.95") double normalShare) {

    private static final int HEAP_SHARE = 8;

    /** An answer that fills a context of 2048 tokens, and 32 pictures. */
    private static final long REQUEST_TOKENS = 4096;

    private static final int LEAST_REQUESTS = 64;

    /**
     * The most bytes of all bodies together.
     *
     * @param largest the most bytes of one body, for which there is always room
     */
    public long bodyBytes(long largest) {
        if (maxBodyMemory == null) {
            return Math.max(largest, Runtime.getRuntime().maxMemory() / HEAP_SHARE);
        }
        if (maxBodyMemory.toBytes() < largest) {
            throw new IllegalArgumentException("idefics.admission.max-body-memory is " + maxBodyMemory
                    + " but must be at least idefics.web.max-body-size, " + largest + " bytes");
        }
        return maxBodyMemory.toBytes();
    }

    /** The most tokens of all requests together. */
    public long admittedTokens() {
        return maxAdmittedTokens == null
                ? REQUEST_TOKENS * Math.max(LEAST_REQUESTS, maxConcurrentRequests)
                : maxAdmittedTokens;
    }

    /** How much of requests and tokens each priority may use. */
    public PriorityShares shares() {
        return new PriorityShares(lowShare, normalShare);
    }
}
