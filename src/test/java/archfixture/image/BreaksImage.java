package archfixture.image;

import archfixture.web.BreaksWeb;

/** Breaks the rule that image does not use web. */
public class BreaksImage {

    BreaksWeb web;
}
