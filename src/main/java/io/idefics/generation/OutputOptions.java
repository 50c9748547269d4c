package io.idefics.generation;

import java.util.List;

/**
 * What an answer consists of.
 *
 * @param choices how many answers to give, at least 1
 * @param bestOf how many to generate, of which the likeliest are given; at least as many as {@code choices}
 * @param topLogprobs how many alternatives to tell for each token besides its own log-probability; -1 for no
 *     log-probabilities at all
 * @param echo whether the prompt is told first, with its log-probabilities where those are told
 * @param format the form of the answers
 * @param badWords strings that do not occur in the answers; only where the form is any text
 */
public record OutputOptions(
        int choices, int bestOf, int topLogprobs, boolean echo, OutputFormat format, List<String> badWords) {

    /** One answer of any text. */
    public static final OutputOptions ONE = choices(1, -1);

    public OutputOptions {
        badWords = List.copyOf(badWords);
    }

    /** Answers of any text, as many as are generated. */
    public static OutputOptions choices(int choices, int topLogprobs) {
        return new OutputOptions(choices, choices, topLogprobs, false, new OutputFormat.Text(), List.of());
    }
}
