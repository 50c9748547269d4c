package io.idefics.grammar;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What the tokens of a model are, as far as grammars need it. Immutable.
 *
 * @param pieces the bytes of each token by id; null for those that may never come
 * @param trie the same as a trie
 * @param spaced the tokens that begin with a space
 * @param stopIds the tokens that end an answer
 */
record Vocabulary(List<byte @Nullable []> pieces, TokenTrie trie, TokenSet spaced, int[] stopIds) {

    byte[] piece(int id) {
        return Objects.requireNonNull(pieces.get(id), "the token has no text");
    }

    boolean isStop(int id) {
        for (int stopId : stopIds) {
            if (stopId == id) {
                return true;
            }
        }
        return false;
    }
}
