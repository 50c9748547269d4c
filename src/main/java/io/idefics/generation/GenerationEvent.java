package io.idefics.generation;

import java.util.List;

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
     * The end of a choice.
     *
     * @param choice the index of the choice
     * @param reason why it ended
     */
    record ChoiceEnded(int choice, FinishReason reason) implements GenerationEvent {}

    /**
     * The end of the answer.
     *
     * @param usage what it cost
     */
    record Completed(Usage usage) implements GenerationEvent {}
}
