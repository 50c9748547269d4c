package io.idefics.engine;

import java.util.List;

/**
 * What the engine does next, in this order: begin the encoding, project, run the rows.
 *
 * @param encodings a batch of pictures that enters the vision tower; mostly empty
 * @param projections latents that become keys and values, which rows of this very plan may read
 * @param rows the tokens to run, decoding sequences first
 * @param preempted sequences that lost their memory and wait again
 */
record StepPlan(
        List<ImageCache.Encoding> encodings,
        List<ImageCache.Projection> projections,
        List<Row> rows,
        List<Sequence> preempted) {

    StepPlan {
        encodings = List.copyOf(encodings);
        projections = List.copyOf(projections);
        rows = List.copyOf(rows);
        preempted = List.copyOf(preempted);
    }

    /** Whether there is nothing to run. */
    boolean isEmpty() {
        return encodings.isEmpty() && projections.isEmpty() && rows.isEmpty();
    }

    /** The number of tokens to run. */
    int tokens() {
        return rows.stream().mapToInt(Row::count).sum();
    }

    /** What a row does for its sequence. */
    enum Kind {
        /** Tokens in the middle of a prefill. */
        CHUNK,
        /** The end of a prefill; its logits give a token. */
        LAST_CHUNK,
        /** The token that was generated last; its logits give the next. */
        DECODE
    }

    /**
     * The next tokens of one sequence.
     *
     * @param first the position of the first one, which is how many the cache has already
     * @param count how many, at least 1
     */
    record Row(Sequence sequence, int first, int count, Kind kind) {

        /** Whether the logits of the last token are wanted. */
        boolean logits() {
            return kind != Kind.CHUNK;
        }

        /** For how many tokens of the prompt logits are wanted to tell how likely the next one was. */
        int promptLogits() {
            int end = Math.min(first + count, sequence.promptLength());
            return Math.max(0, end - Math.max(first, sequence.logitsFrom()));
        }

        /** For how many of the last tokens logits are wanted. */
        int logitsToKeep() {
            return Math.max(promptLogits(), logits() ? 1 : 0);
        }
    }
}
