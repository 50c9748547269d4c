package archfixture.engine;

import archfixture.web.BreaksWeb;

/** Breaks the rule that engine does not use web. */
public class BreaksEngine {

    BreaksWeb web;
}
