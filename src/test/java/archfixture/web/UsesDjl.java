package archfixture.web;

import ai.djl.ndarray.NDList;

/** Breaks the rule that DJL is used only in model and tokenizer. */
class UsesDjl {

    NDList arrays;
}
