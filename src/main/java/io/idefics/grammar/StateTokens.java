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

    /** The frames that may be looked at, each in less than a microsecond. */
    private static final int MAX_WORK = 25_000;

    /**
     * Finds them.
     *
     * @param root the node of the trie that the bytes before have led to
     */
    static StateTokens of(ByteState state, TokenTrie trie, int root) {
        long[] bits = TokenSet.bits(trie.size());
        int[] ends = new int[16];
        int endCount = 0;
        int most = 0;
        Walk walk = new Walk(state, trie, root);
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
    static void addInside(ByteState state, int limit, TokenTrie trie, int root, long[] bits) {
        Walk walk = new Walk(state, trie, root);
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
        private final int root;
        private final WalkBudget budget = new WalkBudget(MAX_WORK);
        /** The states on the way to the last node, by depth. */
        private final @Nullable ByteState[] states;

        private int node;
        private int following;

        Walk(ByteState start, TokenTrie trie, int root) {
            this.trie = trie;
            this.root = root;
            this.following = root + 1;
            this.states = new ByteState[trie.longest() + 1];
            this.states[trie.depth(root)] = start;
        }

        /** Goes to the next node; -1 after the last. */
        int next() {
            node = following;
            while (node < trie.end(root)) {
                int depth = trie.depth(node);
                ByteState above = states[depth - 1];
                // Single bytes are always found, since the cheapest way on consists of them.
                ByteState state = above == null
                        ? null
                        : above.next(trie.label(node), depth == trie.depth(root) + 1 ? null : budget);
                states[depth] = state;
                if (state != null) {
                    following = node + 1;
                    return node;
                }
                node = trie.end(node);
            }
            following = node;
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
