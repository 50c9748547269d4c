package io.idefics.engine;

import jakarta.validation.constraints.DecimalMax;
import jakarta.validation.constraints.DecimalMin;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * How the engine of each replica runs sequences.
 *
 * @param maxWaitingSequences how many sequences may wait for their turn on one replica; more are refused
 * @param maxBatchSequences how many sequences run at the same time
 * @param prefillChunkTokens how many tokens of prompts are run in one step
 * @param maxStall how much longer prompts and pictures may make a step in which others are answered, as a share of a step
 *     without them
 * @param maxBatchImages how many pictures pass the vision tower together
 * @param blockTokens how many tokens a block of the key/value cache holds
 * @param kvCacheSize memory for keys and values; by default what is left, at most a full context for each sequence
 * @param imageCacheSize memory for what the decoder sees of pictures; by default two for each sequence
 * @param latentCacheSize memory for pictures that have passed the vision tower; by default 256 of them
 * @param gpuMemory how much of a GPU may be used; by default what is free at start
 * @param queueTimeout how long a sequence may wait for its first step; then it is refused
 * @param watchdogTimeout how long a step may take before the replica counts as hanging
 * @param closeTimeout how long closing waits for the running step to end
 */
@Validated
@ConfigurationProperties("idefics.engine")
public record EngineProperties(
        @DefaultValue("64") @Min(1) @Max(100_000) int maxWaitingSequences,
        @DefaultValue("16") @Min(1) @Max(4096) int maxBatchSequences,
        @DefaultValue("512") @Min(16) @Max(65_536) int prefillChunkTokens,
        @DefaultValue("1") @DecimalMin("0.1") @DecimalMax("100") double maxStall,
        @DefaultValue("4") @Min(1) @Max(1024) int maxBatchImages,
        @DefaultValue("16") @Min(1) @Max(1024) int blockTokens,
        @Nullable DataSize kvCacheSize,
        @Nullable DataSize imageCacheSize,
        @Nullable DataSize latentCacheSize,
        @Nullable DataSize gpuMemory,
        @DefaultValue("60s") Duration queueTimeout,
        @DefaultValue("5m") Duration watchdogTimeout,
        @DefaultValue("10s") Duration closeTimeout) {

    public EngineProperties {
        requirePositive("kv-cache-size", kvCacheSize);
        requirePositive("image-cache-size", imageCacheSize);
        requirePositive("latent-cache-size", latentCacheSize);
        requirePositive("gpu-memory", gpuMemory);
    }

    /** The given size of the key/value cache in bytes, if any. */
    public @Nullable Long kvCacheBytes() {
        return bytes(kvCacheSize);
    }

    /** The given size of the cache of pictures for the decoder in bytes, if any. */
    public @Nullable Long imageCacheBytes() {
        return bytes(imageCacheSize);
    }

    /** The given size of the cache of pictures that have passed the vision tower in bytes, if any. */
    public @Nullable Long latentCacheBytes() {
        return bytes(latentCacheSize);
    }

    /** The limits of one engine. A step that takes three times the watchdog's time is given up. */
    public EngineSettings settings() {
        return new EngineSettings(
                maxBatchSequences,
                maxWaitingSequences,
                blockTokens,
                prefillChunkTokens,
                maxBatchImages,
                maxStall,
                queueTimeout,
                watchdogTimeout,
                watchdogTimeout.multipliedBy(3),
                closeTimeout);
    }

    private static @Nullable Long bytes(@Nullable DataSize size) {
        return size == null ? null : size.toBytes();
    }

    private static void requirePositive(String property, @Nullable DataSize size) {
        if (size != null && size.toBytes() <= 0) {
            throw new IllegalArgumentException("idefics.engine." + property + " is " + size + ", must be above 0");
        }
    }
}
