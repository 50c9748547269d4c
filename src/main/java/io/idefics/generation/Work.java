package io.idefics.generation;

/**
 * What a prompt and its answers may cost, known before it begins.
 *
 * @param promptTokens tokens that are read
 * @param answerTokens the most tokens that are generated, of all answers together
 * @param pictures pictures that are fetched and decoded
 */
public record Work(long promptTokens, long answerTokens, int pictures) {}
