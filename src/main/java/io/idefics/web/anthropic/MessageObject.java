package io.idefics.web.anthropic;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.idefics.generation.Usage;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Anthropic's {@code Message}. */
@JsonNaming(SnakeCaseStrategy.class)
record MessageObject(
        String id,
        String type,
        String role,
        String model,
        List<TextBlock> content,
        @Nullable String stopReason,
        @Nullable String stopSequence,
        MessageUsage usage) {

    /** Anthropic's {@code TextBlock}. */
    record TextBlock(String type, String text) {

        static TextBlock of(String text) {
            return new TextBlock("text", text);
        }
    }

    /** Anthropic's {@code Usage}, whose {@code input_tokens} are those that were not known from earlier requests. */
    @JsonNaming(SnakeCaseStrategy.class)
    record MessageUsage(int inputTokens, int cacheCreationInputTokens, int cacheReadInputTokens, int outputTokens) {

        static MessageUsage of(Usage usage) {
            return new MessageUsage(
                    usage.promptTokens() - usage.cachedTokens(), 0, usage.cachedTokens(), usage.completionTokens());
        }
    }
}
