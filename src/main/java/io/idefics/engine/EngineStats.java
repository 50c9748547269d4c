package io.idefics.engine;

/**
 * What an engine has counted, as of one moment between two steps. The engine thread makes a new one after each step and
 * publishes it by one volatile write. The first group are levels of this moment, all others grow for ever.
 *
 * @param usedBlocks blocks of the key/value cache that sequences hold
 * @param cachedBlocks blocks that nobody holds but that keep a prefix for others; they are free when needed
 * @param freeBlocks blocks that hold nothing
 * @param prefixHitTokens prompt tokens that were found in the cache
 * @param prefixMissTokens prompt tokens that were not, and had to be run
 * @param imageStateHits pictures whose keys and values of the gated blocks were there
 * @param imageStateMisses pictures whose keys and values had to be computed
 * @param latentHits pictures, of those misses, whose latents were there
 * @param latentMisses pictures, of those misses, that had to pass the vision tower
 * @param promptTokens tokens of prompts that were run
 * @param generatedTokens tokens that were chosen
 * @param steps forward passes
 * @param stepNanos their time in nanoseconds
 * @param preemptions sequences that lost their blocks to others and had to start over
 * @param nanLogits rows of logits that were not finite, each the end of a sequence
 * @param refused sequences that were not taken because too many waited
 * @param displaced sequences that had to leave the queue for others of higher priority
 * @param overdue sequences that waited for their first step for too long
 */
public record EngineStats(
        int usedBlocks,
        int cachedBlocks,
        int freeBlocks,
        long prefixHitTokens,
        long prefixMissTokens,
        long imageStateHits,
        long imageStateMisses,
        long latentHits,
        long latentMisses,
        long promptTokens,
        long generatedTokens,
        long steps,
        long stepNanos,
        long preemptions,
        long nanLogits,
        long refused,
        long displaced,
        long overdue) {

    /** Nothing yet. */
    public static final EngineStats NONE = new EngineStats(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** The levels of this one; what grows, summed up over this one and an earlier engine in the same place. */
    EngineStats after(EngineStats earlier) {
        return new EngineStats(
                usedBlocks,
                cachedBlocks,
                freeBlocks,
                prefixHitTokens + earlier.prefixHitTokens,
                prefixMissTokens + earlier.prefixMissTokens,
                imageStateHits + earlier.imageStateHits,
                imageStateMisses + earlier.imageStateMisses,
                latentHits + earlier.latentHits,
                latentMisses + earlier.latentMisses,
                promptTokens + earlier.promptTokens,
                generatedTokens + earlier.generatedTokens,
                steps + earlier.steps,
                stepNanos + earlier.stepNanos,
                preemptions + earlier.preemptions,
                nanLogits + earlier.nanLogits,
                refused + earlier.refused,
                displaced + earlier.displaced,
                overdue + earlier.overdue);
    }

    /** The same with what was refused outside the engine thread. */
    EngineStats refusing(long refused, long displaced) {
        return new EngineStats(
                usedBlocks,
                cachedBlocks,
                freeBlocks,
                prefixHitTokens,
                prefixMissTokens,
                imageStateHits,
                imageStateMisses,
                latentHits,
                latentMisses,
                promptTokens,
                generatedTokens,
                steps,
                stepNanos,
                preemptions,
                nanLogits,
                refused,
                displaced,
                overdue);
    }
}
