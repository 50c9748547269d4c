package archfixture.bench;

import archfixture.web.BreaksWeb;

/** Breaks the rule that bench does not use web. */
public class BreaksBench {

    BreaksWeb web;
}
