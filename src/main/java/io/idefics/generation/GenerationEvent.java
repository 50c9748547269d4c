package io.idefics.generation;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One event of an answer of one or more choices. The events of the choices come in any mixture; each choice ends with
 * {@link ChoiceEnded}, and the whole with {@link Completed}.
 */
public sealed interface GenerationEvent {

    /**
     * The next piece of the text of a choice, never half a character.
     *
     * @param choice the index of the choice
     * @param text the text to append; empty only where there are log-probabilities to tell
     * @param logprobs the tokens that begin in the text, with those before them that have no text; empty unless asked for
     */
    record TextDelta(int choice, String text, List<TokenLogprob> logprobs) implements GenerationEvent {

        public TextDelta {
            logprobs = List.copyOf(logprobs);
        }

        /** A piece of text without log-probabilities. */
        public TextDelta(int choice, String text) {
            this(choice, text, List.of());
        }
    }

    /**
     * The prompt, which comes before everything else where it was asked for.
     *
     * @param text its text, without the special tokens
     * @param logprobs all its tokens; empty unless asked for
     */
    record PromptRead(String text, List<TokenLogprob> logprobs) implements GenerationEvent {

        public PromptRead {
            logprobs = List.copyOf(logprobs);
        }
    }

    /**
     * The end of a choice.
     *
     * @param choice the index of the choice
     * @param reason why it ended
     * @param stop the stop string or the name of the special token that was asked for and reached; null for another end
     * @param tokens how many tokens were generated for it, the one that ended it included
     * @param end the token that ended it, which has no text; null for another end, and unless log-probabilities were
     *     asked for
     */
    record ChoiceEnded(int choice, FinishReason reason, @Nullable String stop, int tokens, @Nullable TokenLogprob end)
            implements GenerationEvent {

        /** An end of which nothing more is told. */
        public ChoiceEnded(int choice, FinishReason reason) {
            this(choice, reason, null, 0, null);
        }
    }

    /**
     * The end of the answer.
     *
     * @param usage what it cost
     */
    record Completed(Usage usage) implements GenerationEvent {}
}
