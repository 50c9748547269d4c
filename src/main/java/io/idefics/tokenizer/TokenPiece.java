package io.idefics.tokenizer;

import org.jspecify.annotations.Nullable;

/**
 * What one token stands for by itself, wherever it occurs.
 *
 * @param text its text; for a byte that is no character by itself the form {@code \xHH}, for a special token its name,
 *     for an id without a token nothing
 * @param bytes what it adds to a text, in UTF-8; null where that is nothing
 */
public record TokenPiece(String text, byte @Nullable [] bytes) {}
