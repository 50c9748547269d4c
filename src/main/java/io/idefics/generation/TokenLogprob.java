package io.idefics.generation;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How likely a token of an answer was, to the model alone: before temperature, penalties and all other steps of sampling.
 *
 * @param chosen the token of the answer
 * @param top the most likely tokens in its place, the likeliest first, with or without the chosen one
 */
public record TokenLogprob(Candidate chosen, List<Candidate> top) {

    public TokenLogprob {
        top = List.copyOf(top);
    }

    /**
     * A token and its log-probability.
     *
     * @param token its own text; a byte that is no character by itself in the form {@code \xHH}
     * @param bytes its own UTF-8 bytes, 0 to 255, of which several tokens may make up one character; null for a special
     *     token, which adds nothing to the text
     * @param logprob the natural logarithm of its probability, at most 0, negative infinity for an impossible one
     */
    public record Candidate(String token, @Nullable List<Integer> bytes, double logprob) {}
}
