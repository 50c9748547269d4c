package io.idefics.engine;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What happens to a sequence: its prompt is run once, then its tokens come. */
public sealed interface SequenceEvent {

    /**
     * The prompt is in the cache.
     *
     * @param cachedTokens how many of its tokens were there before
     * @param promptLogprobs how likely its tokens were, the last one last; empty unless asked for
     */
    record Prefilled(int cachedTokens, List<TokenLogprobs> promptLogprobs) implements SequenceEvent {

        public Prefilled {
            promptLogprobs = List.copyOf(promptLogprobs);
        }

        /** A prompt of which no log-probabilities are told. */
        public Prefilled(int cachedTokens) {
            this(cachedTokens, List.of());
        }
    }

    /**
     * The next token, the one that ends the sequence included.
     *
     * @param id its id
     * @param logprobs how likely it was; null unless asked for
     */
    record Token(int id, @Nullable TokenLogprobs logprobs) implements SequenceEvent {}
}
