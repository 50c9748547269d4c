package io.idefics.web.openai.responses;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.GenerationRequest;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A decoded and validated body of {@code POST /v1/responses}.
 *
 * @param generation what to generate
 * @param stream whether to answer with server-sent events
 * @param settings what the answer repeats
 */
public record ResponsesRequest(GenerationRequest generation, boolean stream, Settings settings) {

    /**
     * Fields of the request that every answer repeats.
     *
     * @param instructions the text before the conversation; null for none
     * @param maxOutputTokens the most tokens to generate
     * @param metadata what the client wants to remember
     * @param parallelToolCalls as it was given; nothing depends on it
     * @param toolChoice {@code auto} or {@code none}
     * @param format the form of the text, as it was given; null for any
     * @param topLogprobs how many alternatives were asked for
     */
    public record Settings(
            @Nullable String instructions,
            OptionalInt maxOutputTokens,
            Map<String, String> metadata,
            boolean parallelToolCalls,
            String toolChoice,
            @Nullable JsonNode format,
            int topLogprobs) {}
}
