package io.idefics.grammar;

import io.idefics.engine.TokenConstraint;

/** A compiled form of answers. Immutable; safe for use by several threads. */
public final class TokenGrammar {

    private final GrammarMachine machine;
    private final Vocabulary vocabulary;
    private final int wholeCost;

    TokenGrammar(GrammarMachine machine, Vocabulary vocabulary) {
        this.machine = machine;
        this.vocabulary = vocabulary;
        this.wholeCost = GrammarConstraint.wholeCost(machine, vocabulary);
    }

    /**
     * How many tokens the shortest answer takes, the one that ends it included. An answer that is begun with so many
     * left is always completed; there may be answers that take a little less.
     */
    public int leastTokens() {
        return wholeCost + 1;
    }

    /** Holds one answer to this form. */
    public TokenConstraint constraint() {
        return new GrammarConstraint(machine, vocabulary, wholeCost);
    }
}
