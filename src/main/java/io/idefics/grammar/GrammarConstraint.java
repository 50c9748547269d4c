package io.idefics.grammar;

import io.idefics.engine.TokenConstraint;
import java.util.Arrays;

/** Holds one answer to a grammar. Not thread-safe. */
final class GrammarConstraint implements TokenConstraint {

    private final Vocabulary vocabulary;
    private final TokenTrie trie;
    /** The node of the trie that a space leads to. */
    private final int space;

    private final long[] allowed;

    /** How many tokens the whole answer needs, without the one that ends it, at most. */
    private final int wholeCost;

    private GrammarMachine.State state;

    /** Whether the next bytes are the first of the answer. One space before it does not count: decoding drops it. */
    private boolean first;

    /** Whether the answer need not be ended by a token of its own. */
    private final boolean openEnd;

    /**
     * @param wholeCost see {@link #wholeCost(GrammarMachine, Vocabulary)}
     * @param begins whether the answer is a text of its own, of which decoding drops a space at the beginning
     * @param openEnd whether it may be cut off wherever it is complete
     */
    GrammarConstraint(GrammarMachine machine, Vocabulary vocabulary, int wholeCost, boolean begins, boolean openEnd) {
        this.first = begins;
        this.openEnd = openEnd;
        this.vocabulary = vocabulary;
        this.trie = vocabulary.trie();
        this.space = trie.child(0, ' ');
        this.allowed = TokenSet.bits(trie.size());
        this.state = machine.start();
        this.wholeCost = wholeCost;
    }

    /** How many tokens an answer needs, without the one that ends it, at most. */
    static int wholeCost(GrammarMachine machine, Vocabulary vocabulary) {
        int cost = machine.start().cost();
        GrammarConstraint constraint = new GrammarConstraint(machine, vocabulary, cost, true, false);
        constraint.collect(cost - 1);
        boolean begins = cost == 0 || Arrays.stream(constraint.allowed).anyMatch(word -> word != 0);
        // Otherwise the cheapest answer begins with a space, which needs another one before it.
        return begins ? cost : cost + 1;
    }

    @Override
    public void mask(float[] logits, int remaining) {
        int left = remaining - (openEnd ? 1 : 2);
        // This token and the one that ends the answer are not left for the rest. Should there be too few tokens to
        // complete it, the answer at least comes closer to its end.
        collect(Math.max(left, (first ? wholeCost : state.cost()) - 1));
        if (state.complete()) {
            for (int id : vocabulary.stopIds()) {
                TokenSet.add(allowed, id);
            }
        }
        exclude(logits);
    }

    /** Finds the tokens after which the answer needs no more than {@code limit} tokens. */
    private void collect(int limit) {
        Arrays.fill(allowed, 0);
        state.addTokens(0, limit, allowed);
        if (first) {
            vocabulary.spaced().removeFrom(allowed);
            state.addTokens(space, limit, allowed);
            if (state.cost() <= limit) {
                for (int i = trie.idCount(space) - 1; i >= 0; i--) {
                    TokenSet.add(allowed, trie.id(space, i));
                }
            }
        }
    }

    /** Excludes what is not allowed. A NaN or positive infinity stays: a fault of the model must not be hidden. */
    private void exclude(float[] logits) {
        for (int from = 0; from < logits.length; from += Long.SIZE) {
            long word = from >> 6 < allowed.length ? allowed[from >> 6] : 0;
            if (word == -1) {
                continue;
            }
            int to = Math.min(from + Long.SIZE, logits.length);
            for (int id = from; id < to; id++, word >>>= 1) {
                if ((word & 1) == 0 && logits[id] < Float.POSITIVE_INFINITY) {
                    logits[id] = Float.NEGATIVE_INFINITY;
                }
            }
        }
    }

    @Override
    public void accept(int id) {
        if (vocabulary.isStop(id)) {
            return;
        }
        byte[] bytes = vocabulary.piece(id);
        int from = first && bytes[0] == ' ' ? 1 : 0;
        first = false;
        if (from < bytes.length) {
            state = state.accept(bytes, from);
        }
    }
}
