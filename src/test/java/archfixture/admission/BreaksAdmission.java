package archfixture.admission;

import archfixture.web.BreaksWeb;

/** Breaks the rule that admission does not use web. */
public class BreaksAdmission {

    BreaksWeb web;
}
