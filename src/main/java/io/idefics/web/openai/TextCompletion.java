package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** OpenAI's {@code CreateCompletionResponse}, whole or a chunk of a stream: both have the same form. */
record TextCompletion(
        String id,
        String object,
        long created,
        String model,
        @JsonProperty("system_fingerprint") @Nullable String systemFingerprint,
        List<Choice> choices) {

    static final String OBJECT = "text_completion";

    /**
     * One of the answers or a step of it; {@code logprobs} is null unless asked for, and where a step adds no token, and
     * {@code finishReason} in all steps but the last.
     */
    record Choice(
            int index,
            String text,
            @Nullable TextLogprobs logprobs,
            @JsonProperty("finish_reason") @Nullable String finishReason) {}

    /** A whole answer, or a chunk of a stream whose client asked for usage: there null in every chunk but the last. */
    record WithUsage(@JsonUnwrapped TextCompletion completion, @Nullable UsageObject usage) {}
}
