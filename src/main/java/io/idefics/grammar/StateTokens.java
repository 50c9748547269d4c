package io.idefics.grammar;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What the tokens do in a state of an automaton: those that stay within a text of it, and where in the trie such a text
 * ends, so that something else goes on within the token. Immutable.
 *
 * @param inside the tokens after which the automaton has a state
 * @param most the cost of the most expensive of these states
 * @param ends nodes of the trie, neither the root nor leaves, at which a text of the automaton is complete
 */
record StateTokens(TokenSet inside, int most, int[] ends) {

    static StateTokens of(ByteState state, TokenTrie trie) {
        long[] bits = TokenSet.bits(trie.size());
        int[] ends = new int[16];
        int endCount = 0;
        int most = 0;
        Walk walk = new Walk(state, trie);
        for (int node = walk.next(); node >= 0; node = walk.next()) {
            ByteState after = walk.state();
            for (int i = trie.idCount(node) - 1; i >= 0; i--) {
                TokenSet.add(bits, trie.id(node, i));
                most = Math.max(most, after.cost());
            }
            if (after.accepting() && trie.end(node) > node + 1) {
                if (endCount == ends.length) {
                    ends = Arrays.copyOf(ends, endCount * 2);
                }
                ends[endCount++] = node;
            }
        }
        return new StateTokens(TokenSet.of(bits), most, Arrays.copyOf(ends, endCount));
    }

    /** Adds the tokens after which the automaton needs no more than {@code limit} tokens. */
    static void addInside(ByteState state, int limit, TokenTrie trie, long[] bits) {
        Walk walk = new Walk(state, trie);
        for (int node = walk.next(); node >= 0; node = walk.next()) {
            if (trie.idCount(node) > 0 && walk.state().cost() <= limit) {
                for (int i = trie.idCount(node) - 1; i >= 0; i--) {
                    TokenSet.add(bits, trie.id(node, i));
                }
            }
        }
    }

    /** Visits the nodes of the trie that an automaton has a state for, in preorder. */
    private static final class Walk {

        private final TokenTrie trie;
        /** The states on the way to the last node, by depth. */
        private final @Nullable ByteState[] states;

        private int node;
        private int following = 1;

        Walk(ByteState start, TokenTrie trie) {
            this.trie = trie;
            this.states = new ByteState[trie.longest() + 1];
            this.states[0] = start;
        }

        /** Goes to the next node; -1 after the last. */
        int next() {
            node = following;
            while (node < trie.nodes()) {
                int depth = trie.depth(node);
                ByteState above = states[depth - 1];
                ByteState state = above == null ? null : above.next(trie.label(node));
                states[depth] = state;
                if (state != null) {
                    following = node + 1;
                    return node;
                }
                node = trie.end(node);
            }
            return -1;
        }

        /** The state at the last node. */
        ByteState state() {
            ByteState state = states[trie.depth(node)];
            if (state == null) {
                throw new IllegalStateException("not at a node");
            }
            return state;
        }
    }
}
