package io.idefics.generation;

/** The speaker of a {@link Message}. */
public enum Role {
    SYSTEM,
    USER,
    ASSISTANT
}
