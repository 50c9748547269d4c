package archfixture.keys;

import archfixture.web.BreaksWeb;

/** Breaks the rule that keys does not use web. */
public class BreaksKeys {

    BreaksWeb web;
}
