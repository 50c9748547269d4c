package archfixture.service;

import archfixture.web.BreaksWeb;

/** Breaks the rule that service does not use web. */
public class BreaksService {

    BreaksWeb web;
}
