package io.idefics.generation;

/** Why generation ended. */
public enum FinishReason {
    /** The model ended its turn, or a stop string was reached. */
    STOP,
    /** The token limit or the context length was reached. */
    LENGTH
}
