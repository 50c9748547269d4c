package io.idefics.admission;

/**
 * How much one caller may ask for; 0 stands for as much as it likes.
 *
 * @param requests a minute
 * @param tokens a minute
 * @param pictures a minute
 * @param concurrent requests at the same time
 */
record Quota(int requests, int tokens, int pictures, int concurrent) {}
