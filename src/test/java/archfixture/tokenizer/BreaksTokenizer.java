package archfixture.tokenizer;

import archfixture.web.BreaksWeb;

/** Breaks the rule that tokenizer does not use web. */
public class BreaksTokenizer {

    BreaksWeb web;
}
