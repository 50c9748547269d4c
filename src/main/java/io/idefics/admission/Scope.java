package io.idefics.admission;

/** What a client may do; neither includes the other. */
public enum Scope {
    /** Ask models, and about them. */
    INFERENCE,
    /** See how the server is doing. */
    ADMIN
}
