package io.idefics.model;

import java.util.List;

/**
 * One prompt, ready for the model.
 *
 * @param inputIds token ids, (T)
 * @param imageIndex for each token the index of the one image that it sees, or -1 for none, (T); the
 *     one-hot image attention mask of the reference processor in compact form
 * @param images the pictures in prompt order
 */
public record ModelInput(int[] inputIds, int[] imageIndex, List<PixelValues> images) {}
