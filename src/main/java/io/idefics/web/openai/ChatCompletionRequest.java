package io.idefics.web.openai;

import io.idefics.generation.GenerationRequest;

/**
 * A decoded and validated body of {@code POST /v1/chat/completions}.
 *
 * @param generation what to generate
 * @param stream whether to answer with server-sent events
 * @param includeUsage whether the stream ends with a chunk of usage
 * @param prefix what is told before the answer: the message from which it goes on, where that was asked for
 */
public record ChatCompletionRequest(
        GenerationRequest generation, boolean stream, boolean includeUsage, String prefix) {}
