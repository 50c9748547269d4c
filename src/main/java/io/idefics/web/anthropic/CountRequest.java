package io.idefics.web.anthropic;

import io.idefics.generation.Prompt;

/**
 * A decoded and validated body of {@code POST /v1/messages/count_tokens}.
 *
 * @param model the id of the model
 * @param prompt the conversation whose tokens are counted
 */
public record CountRequest(String model, Prompt.Conversation prompt) {}
