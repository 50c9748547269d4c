package io.idefics.generation;

/**
 * What a request cost, in tokens.
 *
 * @param promptTokens tokens of the prompt, image tokens included; counted once, however many choices there are
 * @param cachedTokens how many of them were known from earlier requests and not computed again
 * @param imageTokens tokens of the prompt that stand for pictures: the image token and its fake tokens
 * @param completionTokens tokens that were generated for all choices, those that ended the turns included
 */
public record Usage(int promptTokens, int cachedTokens, int imageTokens, int completionTokens) {

    public int totalTokens() {
        return promptTokens + completionTokens;
    }
}
