package io.idefics.processing;

/**
 * Prompts of a batch, padded on the left to one length T.
 *
 * @param inputIds token ids, (B, T)
 * @param attentionMask 1 for a token, 0 for padding, (B, T)
 * @param imageIndex the one picture that a token sees, or -1 for none, (B, T)
 * @param imageSlots N, pictures per row: the most of any prompt, at least 1
 */
public record ProcessedBatch(int[][] inputIds, int[][] attentionMask, int[][] imageIndex, int imageSlots) {

    /** The image attention mask of the reference, one-hot or empty for each token, (B, T, N). */
    public int[][][] imageAttentionMask() {
        int[][][] mask = new int[imageIndex.length][][];
        for (int row = 0; row < mask.length; row++) {
            mask[row] = ImageAttentionMask.oneHot(imageIndex[row], imageSlots);
        }
        return mask;
    }
}
