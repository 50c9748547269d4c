package io.idefics.bench;

/**
 * What an answer cost, as the server says.
 *
 * @param promptTokens tokens of the prompt
 * @param cachedTokens those of them that a cache held
 * @param outputTokens tokens of the answer
 */
record TokenUsage(int promptTokens, int cachedTokens, int outputTokens) {}
