package io.idefics.bench;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import org.jspecify.annotations.Nullable;

/**
 * What is asked.
 *
 * @param promptTokens about how many tokens of text each user message has
 * @param maxTokens the most tokens of an answer
 * @param minTokens the fewest tokens of an answer; null leaves the end to the model
 * @param images how many pictures a conversation begins with
 * @param distinctImages how many different pictures there are; null makes every picture a new one
 * @param imageSize pixels a side of a picture
 * @param sharedPrefixTokens about how many tokens the system prompt has that all conversations share; 0 for none
 * @param turns requests of a conversation
 * @param temperature of the sampling; 0 is greedy
 * @param seed decides texts, pictures and arrivals
 */
@JsonNaming(SnakeCaseStrategy.class)
record Workload(
        int promptTokens,
        int maxTokens,
        @Nullable Integer minTokens,
        ImageMix images,
        @Nullable Integer distinctImages,
        int imageSize,
        int sharedPrefixTokens,
        int turns,
        double temperature,
        long seed) {}
