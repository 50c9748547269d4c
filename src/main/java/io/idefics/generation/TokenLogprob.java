package io.idefics.generation;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How likely a token was, to the model alone: before temperature, penalties and all other steps of sampling.
 *
 * @param chosen the token of the text
 * @param top the most likely tokens in its place, the likeliest first, with or without the chosen one
 * @param offset where its text begins, in characters (code points) of the text that is told
 */
public record TokenLogprob(Candidate chosen, List<Candidate> top, int offset) {

    public TokenLogprob {
        top = List.copyOf(top);
    }

    /**
     * A token and its log-probability.
     *
     * @param id its id
     * @param token its own text; a byte that is no character by itself in the form {@code \xHH}
     * @param bytes its own UTF-8 bytes, 0 to 255, of which several tokens may make up one character; null for a special
     *     token, which adds nothing to the text
     * @param logprob the natural logarithm of its probability, at most 0, negative infinity for an impossible one; NaN
     *     for the first token of a prompt, which nothing precedes
     */
    public record Candidate(int id, String token, @Nullable List<Integer> bytes, double logprob) {}
}
