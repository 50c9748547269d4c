package io.idefics.grammar;

/** How a character of a text is written in the answer. */
interface TextEncoding {

    /** All ways to write one of the characters. */
    Node node(CodePoints set);
}
