package io.idefics.model;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The next tokens of every row of a batch: a whole prompt in prefill, one token in decode.
 *
 * @param inputIds token ids, (B, T)
 * @param positionIds positions for the rotary embedding, (B, T)
 * @param attentionMask 1 for tokens and 0 for padding, of the cached tokens and the new ones, (B, S); null without
 *     padding
 * @param imageIndex for each token the index in the {@link ImageStates} of the image that it sees, or -1, (B, T)
 */
public record Step(int[][] inputIds, int[][] positionIds, int @Nullable [][] attentionMask, int[][] imageIndex) {

    /** Tokens of one unpadded sequence that follow {@code past} cached ones. */
    public static Step of(int[] inputIds, int past, int[] imageIndex) {
        int[] positionIds = new int[inputIds.length];
        for (int t = 0; t < positionIds.length; t++) {
            positionIds[t] = past + t;
        }
        return new Step(new int[][] {inputIds}, new int[][] {positionIds}, null, new int[][] {imageIndex});
    }

    public int rows() {
        return inputIds.length;
    }

    public int tokens() {
        return inputIds[0].length;
    }

    /** Runs of tokens that see one image, flattened: row, start, end, image, and so on. */
    long[] imageSpans() {
        List<Integer> spans = new ArrayList<>();
        for (int row = 0; row < imageIndex.length; row++) {
            int[] index = imageIndex[row];
            for (int start = 0, end; start < index.length; start = end) {
                end = start + 1;
                while (end < index.length && index[end] == index[start]) {
                    end++;
                }
                if (index[start] >= 0) {
                    spans.addAll(List.of(row, start, end, index[start]));
                }
            }
        }
        return spans.stream().mapToLong(Integer::longValue).toArray();
    }
}
