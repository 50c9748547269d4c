package io.idefics.engine;

/**
 * What the text of one sequence may be, as the tokens that may come next. It belongs to one sequence, whose engine thread
 * alone calls it, once a token.
 */
public interface TokenConstraint {

    /**
     * Sets the logits of all tokens that may not come next to negative infinity. Tokens that end the sequence may come
     * where the text is complete. At least one token is left. NaN and positive infinity stay, as a fault of the model must
     * not be hidden.
     *
     * @param logits one value a token of the vocabulary
     * @param remaining how many tokens may still be generated, this one and the one that ends the sequence included; a
     *     token after which the text could not be completed with the others is out
     */
    void mask(float[] logits, int remaining);

    /** Takes in the token that was chosen, one of those that were left. */
    void accept(int id);
}
