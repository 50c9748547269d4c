package io.idefics.model;

import java.util.List;

/**
 * The next tokens of some sequences, run together: whole prompts, chunks of prompts and single tokens, of any length and
 * with any images. Nothing is padded.
 *
 * @param rows one element a sequence, at least one
 */
public record Step(List<Row> rows) {

    /**
     * The next tokens of one sequence.
     *
     * @param inputIds the tokens to run, (t), t at least 1
     * @param past how many tokens of the sequence were run before
     * @param cacheRuns the token slots of the sequence in token order, those of the past tokens and of the new ones:
     *     first slot and end of each run of neighbouring slots
     * @param imageSlots for each token to run the image slot that it sees, or -1 for none, (t)
     * @param logitsToKeep for how many of the last tokens logits are wanted, 0 to t
     */
    public record Row(int[] inputIds, int past, int[] cacheRuns, int[] imageSlots, int logitsToKeep) {

        public Row {
            int slots = 0;
            for (int i = 0; i < cacheRuns.length; i += 2) {
                slots += cacheRuns[i + 1] - cacheRuns[i];
            }
            if (slots != past + inputIds.length || imageSlots.length != inputIds.length) {
                throw new IllegalArgumentException("A row of " + inputIds.length + " tokens after " + past + " has "
                        + slots + " token slots and " + imageSlots.length + " image slots");
            }
        }
    }

    public Step {
        rows = List.copyOf(rows);
    }

    /** The number of tokens of all rows. */
    public int tokens() {
        return rows.stream().mapToInt(row -> row.inputIds().length).sum();
    }
}
