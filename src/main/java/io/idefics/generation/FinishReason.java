package io.idefics.generation;

/** Why generation ended. */
public enum FinishReason {
    /** The model ended its turn, or came to another token that ends the text. */
    END_TOKEN,
    /** A stop string was reached. */
    STOP_STRING,
    /** The token limit or the context length was reached. */
    LENGTH
}
