package archfixture.generation;

import archfixture.web.BreaksWeb;

/** Breaks the rule that generation does not use web. */
public class BreaksGeneration {

    BreaksWeb web;
}
