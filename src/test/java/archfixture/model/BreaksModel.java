package archfixture.model;

import archfixture.web.BreaksWeb;

/** Breaks the rule that model does not use web. */
public class BreaksModel {

    BreaksWeb web;
}
