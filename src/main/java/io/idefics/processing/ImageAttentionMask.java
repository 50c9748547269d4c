package io.idefics.processing;

import java.util.Arrays;

/**
 * Which picture each token of a prompt sees: the latest one before it, as in
 * {@code image_attention_mask_for_packed_input_ids} of the reference processor.
 *
 * <p>An image token and everything after it see its picture, up to and including the next {@code </s>}; the fake token
 * that opens a picture still sees the one before.
 */
public final class ImageAttentionMask {

    /** The index of a token that sees no picture. */
    public static final int NONE = -1;

    private ImageAttentionMask() {}

    /**
     * The index of the picture that each token sees, (T).
     *
     * @param inputIds token ids, (T)
     * @param imageToken id of the image token
     * @param eosToken id of the end-of-sequence token, after which no picture is seen
     * @param imageCount the number of pictures; an index that is not below it becomes {@link #NONE}
     */
    public static int[] imageIndex(int[] inputIds, int imageToken, int eosToken, int imageCount) {
        int[] imageIndex = new int[inputIds.length];
        int count = NONE;
        boolean afterEos = false;
        for (int i = 0; i < inputIds.length; i++) {
            if (inputIds[i] == imageToken) {
                count++;
                afterEos = false;
            }
            imageIndex[i] = afterEos || count >= imageCount ? NONE : count;
            afterEos |= inputIds[i] == eosToken;
        }
        return imageIndex;
    }

    /** Rows with a single 1 at the index, or none for {@link #NONE}, (T, N). */
    public static int[][] oneHot(int[] imageIndex, int imageSlots) {
        return Arrays.stream(imageIndex)
                .mapToObj(index -> {
                    int[] row = new int[imageSlots];
                    if (index != NONE) {
                        row[index] = 1;
                    }
                    return row;
                })
                .toArray(int[][]::new);
    }
}
