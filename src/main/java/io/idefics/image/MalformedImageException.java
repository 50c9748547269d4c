package io.idefics.image;

import java.io.IOException;

/** A picture that breaks the rules of its format; the message is safe to show to clients. */
final class MalformedImageException extends IOException {

    private static final long serialVersionUID = 1L;

    MalformedImageException(String message) {
        super(message);
    }
}
