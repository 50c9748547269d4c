package io.idefics.bench;

/** A server that cannot be measured at all; the message says why. */
final class TargetException extends RuntimeException {

    TargetException(String message) {
        super(message);
    }

    TargetException(String message, Throwable cause) {
        super(message, cause);
    }
}
