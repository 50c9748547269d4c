package archfixture.processing;

import archfixture.web.BreaksWeb;

/** Breaks the rule that processing does not use web. */
public class BreaksProcessing {

    BreaksWeb web;
}
