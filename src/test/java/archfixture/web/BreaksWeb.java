package archfixture.web;

import archfixture.model.BreaksModel;

/** Breaks the rules that web does not use model, and that there are no cycles. */
public class BreaksWeb {

    BreaksModel model;
}
