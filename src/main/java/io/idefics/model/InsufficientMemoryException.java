package io.idefics.model;

/** A model that does not fit into the memory of its devices; the message has the sum and what could be changed. */
public class InsufficientMemoryException extends RuntimeException {

    public InsufficientMemoryException(String message) {
        super(message);
    }
}
