package io.idefics.bench;

import org.jspecify.annotations.Nullable;

/** What became of a request. Times are those of {@link System#nanoTime()}. */
sealed interface Outcome {

    /**
     * It was answered.
     *
     * @param start when it was sent, or was due
     * @param first when the first text came; equal to {@code end} where there was none
     * @param end when the answer was complete
     * @param chunks pieces of text
     * @param maxGap nanoseconds, the longest wait for a further piece; 0 for fewer than two
     * @param usage what the server says it cost; null if it says nothing
     */
    record Answer(long start, long first, long end, int chunks, long maxGap, String text, @Nullable TokenUsage usage)
            implements Outcome {

        /** Tokens of the answer; where the server does not say, its pieces of text. */
        int outputTokens() {
            return usage == null ? chunks : usage.outputTokens();
        }
    }

    /**
     * It failed.
     *
     * @param end when it did
     * @param status the status code, or a short name of what happened
     * @param message what the server or the client says about it
     */
    record Failure(long end, String status, String message) implements Outcome {}
}
