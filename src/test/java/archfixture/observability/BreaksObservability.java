package archfixture.observability;

import archfixture.web.BreaksWeb;

/** Breaks the rule that observability does not use web. */
public class BreaksObservability {

    BreaksWeb web;
}
