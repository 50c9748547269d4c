package io.idefics.grammar;

import org.jspecify.annotations.Nullable;

/** A named part of a grammar, so that it can be referred to before it is complete. */
final class Rule {

    /** Whether a text of this rule lies one level deeper than what it stands in. */
    final boolean nests;

    private @Nullable Node body;

    Rule(boolean nests) {
        this.nests = nests;
    }

    void define(Node node) {
        body = node;
    }

    Node body() {
        Node known = body;
        if (known == null) {
            throw new IllegalStateException("the rule is not defined");
        }
        return known;
    }
}
