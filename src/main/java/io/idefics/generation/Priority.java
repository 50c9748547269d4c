package io.idefics.generation;

/** Whose requests come first where there is not room for all. */
public enum Priority {
    LOW,
    NORMAL,
    HIGH
}
