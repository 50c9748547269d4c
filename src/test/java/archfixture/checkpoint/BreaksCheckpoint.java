package archfixture.checkpoint;

import archfixture.web.BreaksWeb;

/** Breaks the rule that checkpoint does not use web. */
public class BreaksCheckpoint {

    BreaksWeb web;
}
