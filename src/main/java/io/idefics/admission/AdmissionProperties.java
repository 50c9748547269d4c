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
 * @param maxConcurrentRequests the most chat requests that are admitted at the same time, from before their
 *     body is read until their answer is written
 * @param maxBodyMemory the most bytes of the bodies of all these requests together; by default an eighth of the Java heap,
 *     since a body takes several times its size while it is read
 */
@Validated
@ConfigurationProperties("idefics.admission")
public record AdmissionProperties(
        @DefaultValue("64") @Min(1) int maxConcurrentRequests, @Nullable DataSize maxBodyMemory) {

    private static final int HEAP_SHARE = 8;

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
}
