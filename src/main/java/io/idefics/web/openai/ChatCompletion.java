package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** OpenAI's {@code CreateChatCompletionResponse}. */
record ChatCompletion(
        String id,
        String object,
        long created,
        String model,
        @JsonProperty("system_fingerprint") @Nullable String systemFingerprint,
        List<Choice> choices,
        UsageObject usage) {

    static final String OBJECT = "chat.completion";

    /** One of the answers; {@code logprobs} is null unless asked for. */
    record Choice(
            int index,
            Message message,
            @Nullable LogprobsObject logprobs,
            @JsonProperty("finish_reason") String finishReason) {}

    /** The turn of the assistant; {@code refusal} is always null. */
    record Message(String role, String content, @Nullable String refusal) {}
}
