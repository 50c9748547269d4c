package io.idefics.service;

import java.util.List;

/**
 * A prompt as the model reads it.
 *
 * @param text its text, special tokens by their names
 * @param tokens its tokens
 * @param imageTokens how many of them stand for pictures
 * @param contextLength the most tokens of prompt and answer together
 */
public record RenderedPrompt(String text, List<Token> tokens, int imageTokens, int contextLength) {

    public RenderedPrompt {
        tokens = List.copyOf(tokens);
    }

    /**
     * A token.
     *
     * @param id its id
     * @param text its own text; a byte that is no character by itself in the form {@code \xHH}
     * @param special whether it adds nothing to a text
     */
    public record Token(int id, String text, boolean special) {}
}
