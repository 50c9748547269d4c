package io.idefics.engine;

/**
 * How much a step may run.
 *
 * @param tokens the most tokens of a step; the tokens of decoding sequences count, but are run in any case
 * @param prefillBesideDecode the most tokens of prefills in a step in which sequences decode
 */
record StepBudget(int tokens, int prefillBesideDecode) {

    StepBudget {
        if (tokens < 1 || prefillBesideDecode < 1) {
            throw new IllegalArgumentException("A step has a budget of at least 1 token, not " + tokens + " and "
                    + prefillBesideDecode + " beside decoding sequences");
        }
    }

    /** What is left for prefills. */
    int prefillTokens(int decoding) {
        return decoding == 0 ? tokens : Math.min(Math.max(tokens - decoding, 0), prefillBesideDecode);
    }
}
