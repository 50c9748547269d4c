package io.idefics.admission;

/** Why a request is not admitted for now. */
public enum Refusal {
    /** There are too many requests. */
    REQUESTS,
    /** What they ask for together is too much work. */
    WORK,
    /** Their bodies together have too many bytes. */
    MEMORY
}
