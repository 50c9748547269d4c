package io.idefics.processing;

/** One piece of a prompt, in the order in which the model reads them. */
public sealed interface PromptItem {

    /**
     * Text; leading and trailing spaces are dropped.
     *
     * @param text the text
     */
    record Text(String text) implements PromptItem {}

    /** The next picture of the prompt. */
    record Image() implements PromptItem {}

    /** The end of a turn, for models that have the token. */
    record EndOfUtterance() implements PromptItem {}
}
