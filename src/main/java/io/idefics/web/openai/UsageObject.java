package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.idefics.generation.Usage;

/** OpenAI's {@code CompletionUsage}, with the tokens that stand for pictures as a detail of the prompt. */
record UsageObject(
        @JsonProperty("prompt_tokens") int promptTokens,
        @JsonProperty("completion_tokens") int completionTokens,
        @JsonProperty("total_tokens") int totalTokens,
        @JsonProperty("prompt_tokens_details") PromptDetails promptTokensDetails) {

    record PromptDetails(
            @JsonProperty("cached_tokens") int cachedTokens, @JsonProperty("image_tokens") int imageTokens) {}

    static UsageObject of(Usage usage) {
        return new UsageObject(
                usage.promptTokens(),
                usage.completionTokens(),
                usage.totalTokens(),
                new PromptDetails(usage.cachedTokens(), usage.imageTokens()));
    }
}
