package io.idefics.tokenizer;

import org.jspecify.annotations.Nullable;

/** A tokenizer file that cannot be used; the message names the file and what is wrong with it. */
public class TokenizerException extends IllegalArgumentException {

    public TokenizerException(String message) {
        super(message);
    }

    public TokenizerException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
