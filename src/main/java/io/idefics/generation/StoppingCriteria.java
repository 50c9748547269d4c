package io.idefics.generation;

import java.util.List;
import java.util.OptionalInt;

/**
 * When generation ends, besides the end-of-utterance and end-of-sequence tokens.
 *
 * @param maxTokens the most tokens to generate, at least 1; empty fills the context
 * @param minTokens how many tokens are generated before one may end the turn; a stop string ends the text all the same
 * @param stop strings before which the text ends; they are not part of the answer
 */
public record StoppingCriteria(OptionalInt maxTokens, int minTokens, List<String> stop) {

    public StoppingCriteria {
        stop = List.copyOf(stop);
    }
}
