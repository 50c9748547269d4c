package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** OpenAI's {@code CreateChatCompletionStreamResponse}. */
record ChatCompletionChunk(
        String id,
        String object,
        long created,
        String model,
        @JsonProperty("system_fingerprint") @Nullable String systemFingerprint,
        List<Choice> choices) {

    static final String OBJECT = "chat.completion.chunk";

    /** A step of one of the answers; {@code logprobs} is null where it adds no token of which they were asked for. */
    record Choice(
            int index,
            Delta delta,
            @Nullable LogprobsObject logprobs,
            @JsonProperty("finish_reason") @Nullable String finishReason) {}

    /** What the step adds. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Delta(@Nullable String role, @Nullable String content) {}

    /** A chunk of a stream whose client asked for usage: null in every chunk but the last. */
    record WithUsage(@JsonUnwrapped ChatCompletionChunk chunk, @Nullable UsageObject usage) {}
}
