package io.idefics.generation;

/**
 * What a request cost, in tokens.
 *
 * @param promptTokens tokens of the prompt, image tokens included
 * @param imageTokens tokens of the prompt that stand for pictures: the image token and its fake tokens
 * @param completionTokens tokens that were generated, the one that ended the turn included
 */
public record Usage(int promptTokens, int imageTokens, int completionTokens) {

    public int totalTokens() {
        return promptTokens + completionTokens;
    }
}
