package io.idefics.engine;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The limits of one engine.
 *
 * @param maxBatchSequences the most sequences that run side by side
 * @param maxWaitingSequences the most sequences that wait for their turn; more are refused
 * @param blockTokens tokens of a block of the key/value cache
 * @param prefillChunkTokens the most tokens of prompts in one step
 * @param maxEncodingImages the most pictures that pass the vision tower together
 * @param maxStall how much longer prefill and pictures may make a step in which others decode, as a share of a step
 *     that only decodes
 * @param queueTimeout how long a sequence may wait for its turn where its request does not say; null for any time
 * @param watchdogTimeout how long a step may take before the engine counts as hanging and its sequences are failed
 * @param hangTimeout how long a step may take before the engine is given up
 * @param closeTimeout how long closing waits for the running step to end
 */
public record EngineSettings(
        int maxBatchSequences,
        int maxWaitingSequences,
        int blockTokens,
        int prefillChunkTokens,
        int maxEncodingImages,
        double maxStall,
        @Nullable Duration queueTimeout,
        Duration watchdogTimeout,
        Duration hangTimeout,
        Duration closeTimeout) {

    /** Blocks that an admission leaves for the answers that are under way. */
    int watermarkBlocks() {
        return maxBatchSequences;
    }
}
