package io.idefics.bench;

/** Hears an answer as it comes; the end is {@link #completed} or {@link #failed}, and what follows it is ignored. */
interface AnswerListener {

    /** The next piece of text, not empty. */
    void text(String delta);

    /** What the answer cost; the last call counts. */
    void usage(TokenUsage usage);

    /** The answer is complete. */
    void completed();

    /**
     * There will be no answer, or no more of it.
     *
     * @param status the status code, or a short name of what happened
     * @param message what the server or the client says about it
     */
    void failed(String status, String message);
}
