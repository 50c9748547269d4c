package io.idefics.processing;

/**
 * One prompt as ids.
 *
 * @param inputIds token ids, (T)
 * @param imageIndex the one picture that a token sees, or -1 for none, (T)
 * @param firstImage how many pictures at the front were cut off with their tokens; indices begin after them
 * @param imageCount the number of pictures that are left
 * @param imageTokens how many of the ids stand for pictures: the image tokens and the fake tokens around them
 */
public record PreparedPrompt(int[] inputIds, int[] imageIndex, int firstImage, int imageCount, int imageTokens) {}
