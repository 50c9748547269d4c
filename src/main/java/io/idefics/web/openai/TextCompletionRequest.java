package io.idefics.web.openai;

import io.idefics.generation.GenerationRequest;
import java.util.List;

/**
 * A decoded and validated body of {@code POST /v1/completions}.
 *
 * @param generations what to generate, one request for each prompt and all alike but for it
 * @param stream whether to answer with server-sent events
 * @param includeUsage whether the stream ends with a chunk of usage
 * @param idsAsTokens whether log-probabilities name tokens by their ids
 */
public record TextCompletionRequest(
        List<GenerationRequest> generations, boolean stream, boolean includeUsage, boolean idsAsTokens) {

    public TextCompletionRequest {
        generations = List.copyOf(generations);
    }
}
