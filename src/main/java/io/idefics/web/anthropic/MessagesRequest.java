package io.idefics.web.anthropic;

import io.idefics.generation.GenerationRequest;

/**
 * A decoded and validated body of {@code POST /v1/messages}.
 *
 * @param generation what to generate
 * @param maxTokens the most tokens to generate
 * @param stream whether to answer with server-sent events
 */
public record MessagesRequest(GenerationRequest generation, int maxTokens, boolean stream) {}
