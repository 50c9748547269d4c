package io.idefics.web.tgi;

import io.idefics.generation.TokenLogprob.Candidate;
import org.jspecify.annotations.Nullable;

/**
 * A generated token.
 *
 * @param id its id
 * @param text what it adds to the text; the name of a special token, which adds nothing
 * @param logprob the natural logarithm of its probability; null for an impossible one
 * @param special whether it adds nothing to the text
 */
record Token(int id, String text, @Nullable Double logprob, boolean special) {

    static Token of(Candidate candidate, String text) {
        return new Token(candidate.id(), text, finite(candidate.logprob()), candidate.bytes() == null);
    }

    /** A token that is not part of the text. */
    static Token of(Candidate candidate) {
        return of(candidate, candidate.token());
    }

    /** JSON has no infinity and no NaN. */
    static @Nullable Double finite(double logprob) {
        return Double.isFinite(logprob) ? logprob : null;
    }
}
