package io.idefics.web.tgi;

/**
 * A token of a text.
 *
 * @param id its id
 * @param text its part of the text; its own text where it is not part of it
 * @param start where its part of the text begins, in bytes of UTF-8
 * @param stop where it ends
 */
record SimpleToken(int id, String text, int start, int stop) {}
