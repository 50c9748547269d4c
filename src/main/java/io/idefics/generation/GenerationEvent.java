package io.idefics.generation;

/** One event of an answer; the last one, and only it, is {@link Completed}. */
public sealed interface GenerationEvent {

    /**
     * The next piece of text, never empty and never half a character.
     *
     * @param text the text to append
     */
    record TextDelta(String text) implements GenerationEvent {}

    /**
     * The end of the answer.
     *
     * @param reason why it ended
     * @param usage what it cost
     */
    record Completed(FinishReason reason, Usage usage) implements GenerationEvent {}
}
