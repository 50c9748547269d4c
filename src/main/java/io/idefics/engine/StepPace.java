package io.idefics.engine;

/**
 * How long the parts of a step take, learnt while they run, and what may therefore be added to a step in which others
 * decode, so that no stream stalls.
 */
final class StepPace {

    /** The weight of the newest measurement. */
    private static final double NEWEST = 0.3;

    /** Tokens of a prompt that are run beside decoding sequences at least, so that it comes to an end. */
    private static final int LEAST_PREFILL = 16;

    private final EngineSettings settings;
    private double decodeNanos;
    private double prefillTokenNanos;
    private double imageLayerNanos;

    StepPace(EngineSettings settings) {
        this.settings = settings;
    }

    /** What the next step may run. While pictures are in the vision tower, they have half of the time that may be added. */
    StepBudget budget(boolean encoding) {
        int beside = LEAST_PREFILL;
        if (prefillTokenNanos > 0) {
            double time = decodeNanos * settings.maxStall() / (encoding ? 2 : 1);
            beside = (int) Math.max(LEAST_PREFILL, Math.min(time / prefillTokenNanos, settings.prefillChunkTokens()));
        }
        // Matrix products like multiples of 16 rows.
        return new StepBudget(
                Math.max(settings.prefillChunkTokens(), settings.maxBatchSequences() + LEAST_PREFILL),
                Math.min(beside / LEAST_PREFILL * LEAST_PREFILL, settings.prefillChunkTokens()));
    }

    /** How many layers of the vision tower may run after a step in which sequences decode. */
    int encodingLayers(int images, boolean prefilling) {
        if (imageLayerNanos == 0) {
            return 1;
        }
        double time = decodeNanos * settings.maxStall() / (prefilling ? 2 : 1);
        return (int) Math.max(1, time / (imageLayerNanos * images));
    }

    /** A forward pass over so many decoding sequences and tokens of prompts took that long. */
    void ran(int decoding, int prefillTokens, long nanos) {
        if (prefillTokens == 0) {
            decodeNanos = average(decodeNanos, nanos);
        } else {
            double extra = decoding == 0 ? nanos : Math.max(nanos - decodeNanos, nanos * 0.1);
            prefillTokenNanos = average(prefillTokenNanos, extra / prefillTokens);
        }
    }

    /** So many layers of the vision tower took that long. */
    void encoded(int images, int layers, long nanos) {
        imageLayerNanos = average(imageLayerNanos, (double) nanos / layers / images);
    }

    private static double average(double before, double newest) {
        return before == 0 ? newest : before + NEWEST * (newest - before);
    }
}
