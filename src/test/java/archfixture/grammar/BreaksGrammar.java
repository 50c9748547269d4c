package archfixture.grammar;

import archfixture.web.BreaksWeb;

/** Breaks the rule that grammar does not use web. */
public class BreaksGrammar {

    BreaksWeb web;
}
