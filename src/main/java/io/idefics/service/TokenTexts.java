package io.idefics.service;

import io.idefics.engine.TokenLogprobs;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.TokenPiece;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Tells tokens by their texts. */
record TokenTexts(IdeficsTokenizer tokenizer) {

    /** The text of a token by itself. */
    String text(int id) {
        return tokenizer.piece(id).text();
    }

    /** Whether a token adds something to a text. */
    boolean hasText(int id) {
        return tokenizer.piece(id).bytes() != null;
    }

    /** What is told of a token; {@code offset} is where its text begins, in code points. */
    TokenLogprob logprob(int id, TokenLogprobs logprobs, int offset) {
        return new TokenLogprob(
                candidate(id, logprobs.logprob()),
                logprobs.top().stream()
                        .map(alternative -> candidate(alternative.id(), alternative.logprob()))
                        .toList(),
                offset);
    }

    /** A token and its log-probability. */
    Candidate candidate(int id, double logprob) {
        TokenPiece piece = tokenizer.piece(id);
        return new Candidate(id, piece.text(), unsigned(piece.bytes()), logprob);
    }

    private static @Nullable List<Integer> unsigned(byte @Nullable [] bytes) {
        if (bytes == null) {
            return null;
        }
        List<Integer> unsigned = new ArrayList<>(bytes.length);
        for (byte b : bytes) {
            unsigned.add(Byte.toUnsignedInt(b));
        }
        return unsigned;
    }
}
