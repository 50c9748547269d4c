package io.idefics.grammar;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;

/** What is known of the states of automata, for all grammars of a model. Safe for use by several threads. */
final class KnownStates {

    /** Each takes up to an eighth of a byte for each token of the vocabulary. */
    private static final int MAX_STATES = 4_096;

    private static final int MAX_STARTS = 256;

    private final TokenTrie trie;
    private final int space;
    private final Cache<ByteState, StateTokens> tokens = cache(MAX_STATES);
    private final Cache<ByteState, StateTokens> tokensAfterSpace = cache(MAX_STARTS);

    KnownStates(TokenTrie trie) {
        this.trie = trie;
        this.space = trie.child(0, ' ');
    }

    /** By identity. */
    private static Cache<ByteState, StateTokens> cache(int size) {
        return Caffeine.newBuilder()
                .weakKeys()
                .maximumSize(size)
                .executor(Runnable::run)
                .build();
    }

    TokenTrie trie() {
        return trie;
    }

    /** The node of the trie that a space leads to. */
    int space() {
        return space;
    }

    /**
     * What tokens do in a canonical state.
     *
     * @param root the root of the trie, or the node after a space for tokens that begin with one that does not count
     */
    StateTokens tokens(ByteState state, int root) {
        return (root == 0 ? tokens : tokensAfterSpace).get(state, s -> StateTokens.of(s, trie, root));
    }
}
