package io.idefics.grammar;

import io.idefics.engine.TokenConstraint;

/** A compiled form of answers. Immutable; safe for use by several threads. */
public final class TokenGrammar {

    private final GrammarMachine machine;
    private final Vocabulary vocabulary;
    private final boolean openEnd;
    private final int wholeCost;

    /** @param openEnd whether answers may be cut off wherever they are complete */
    TokenGrammar(GrammarMachine machine, Vocabulary vocabulary, boolean openEnd) {
        this.openEnd = openEnd;
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
        return new GrammarConstraint(machine, vocabulary, wholeCost, true, openEnd);
    }

    /** Holds one answer to this form that goes on from a text, so that a space at its beginning counts. */
    public TokenConstraint continuingConstraint() {
        return new GrammarConstraint(machine, vocabulary, wholeCost, false, openEnd);
    }
}
