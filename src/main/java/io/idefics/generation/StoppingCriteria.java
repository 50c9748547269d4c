package io.idefics.generation;

import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * When generation ends, besides the end-of-utterance and end-of-sequence tokens.
 *
 * @param maxTokens the most tokens to generate; 0 only reads the prompt; empty fills the context
 * @param maxLength the most tokens of prompt and answer together; empty is the context
 * @param minTokens how many tokens are generated before one may end the turn; a stop string ends the text all the same
 * @param ignoreEnd whether the answer goes on until the limit, without a token that ends it
 * @param stop strings before which the text ends; one that names a special token ends the text at that token
 * @param stopTokenIds further tokens that end the text
 * @param includeStop whether the stop string is part of the answer
 */
public record StoppingCriteria(
        OptionalInt maxTokens,
        OptionalInt maxLength,
        int minTokens,
        boolean ignoreEnd,
        List<String> stop,
        Set<Integer> stopTokenIds,
        boolean includeStop) {

    public StoppingCriteria {
        stop = List.copyOf(stop);
        stopTokenIds = Set.copyOf(stopTokenIds);
    }

    /** The ordinary criteria: stop strings are no part of the answer. */
    public StoppingCriteria(OptionalInt maxTokens, int minTokens, List<String> stop) {
        this(maxTokens, OptionalInt.empty(), minTokens, false, stop, Set.of(), false);
    }
}
