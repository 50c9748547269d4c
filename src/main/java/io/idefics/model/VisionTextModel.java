package io.idefics.model;

import java.util.List;

/**
 * A vision-language model as an engine drives it: caches in numbered slots that the caller gives out, pictures that are
 * encoded in small steps, and steps over the next tokens of any sequences. Not thread-safe.
 */
public interface VisionTextModel extends AutoCloseable {

    /** The number of tokens of the vocabulary: the width of logits, and the end of the valid ids. */
    int vocabularySize();

    /** The number of layers that a picture passes in {@link #advanceEncoding}: of the vision tower, then of the resampler. */
    int encodingLayers();

    /**
     * Makes the caches, once, before anything else.
     *
     * @param tokenSlots for how many tokens keys and values of self-attention are kept
     * @param imageSlots for how many pictures keys and values of cross-attention are kept
     * @param latentSlots for how many pictures the latents are kept, from which those can be computed again
     */
    void allocate(int tokenSlots, int imageSlots, int latentSlots);

    /** Takes pictures into the vision tower, one batch at a time. */
    void beginEncoding(List<PixelValues> images);

    /**
     * Runs the next layers of the vision tower and of the resampler.
     *
     * @return whether the pictures are through
     */
    boolean advanceEncoding(int layers);

    /** Stores the latents of the pictures that are through, in their order. */
    void endEncoding(int[] latentSlots);

    /** Drops the pictures that are in the vision tower, if any. */
    void abandonEncoding();

    /** Computes the keys and values of pictures from their latents. */
    void projectImages(int[] latentSlots, int[] imageSlots);

    /**
     * Runs the next tokens of some sequences and stores their keys and values in their slots. Running a step again
     * gives the same result.
     *
     * @return float32 logits of the tokens that the rows keep, in their order, (tokens kept, vocabulary)
     */
    float[][] forward(Step step);

    @Override
    void close();
}
