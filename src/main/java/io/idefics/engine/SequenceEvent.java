package io.idefics.engine;

import org.jspecify.annotations.Nullable;

/** What happens to a sequence: its prompt is run once, then its tokens come. */
public sealed interface SequenceEvent {

    /**
     * The prompt is in the cache.
     *
     * @param cachedTokens how many of its tokens were there before
     */
    record Prefilled(int cachedTokens) implements SequenceEvent {}

    /**
     * The next token, the one that ends the sequence included.
     *
     * @param id its id
     * @param logprobs how likely it was; null unless asked for
     */
    record Token(int id, @Nullable TokenLogprobs logprobs) implements SequenceEvent {}
}
