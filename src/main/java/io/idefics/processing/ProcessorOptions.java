package io.idefics.processing;

import java.util.OptionalInt;

/**
 * How a batch of prompts is laid out; the names are those of the reference processor.
 *
 * @param addEndOfUtteranceToken whether {@code <end_of_utterance>} goes between two adjacent texts
 * @param addEosToken whether {@code </s>} ends each prompt
 * @param truncateTo the most tokens of a prompt, the rest is cut off at the end ({@code truncation} with
 *     {@code max_length}); empty keeps all
 * @param padTo the least length of the batch ({@code padding="max_length"}); empty pads to the longest prompt
 */
public record ProcessorOptions(
        boolean addEndOfUtteranceToken, boolean addEosToken, OptionalInt truncateTo, OptionalInt padTo) {

    /** Nothing added at the end, cut off or padded. */
    public static ProcessorOptions verbatim(boolean addEndOfUtteranceToken) {
        return new ProcessorOptions(addEndOfUtteranceToken, false, OptionalInt.empty(), OptionalInt.empty());
    }
}
