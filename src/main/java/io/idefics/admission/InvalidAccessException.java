package io.idefics.admission;

/** Access is configured wrongly; the message is one line for the operator, without keys or hashes. */
public final class InvalidAccessException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    public InvalidAccessException(String message) {
        super(message);
    }

    public InvalidAccessException(String message, Throwable cause) {
        super(message, cause);
    }
}
