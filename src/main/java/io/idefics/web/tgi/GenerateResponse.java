package io.idefics.web.tgi;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A whole answer.
 *
 * @param generatedText its text
 * @param details what else was asked for; left out where nothing was
 */
record GenerateResponse(
        @JsonProperty("generated_text") String generatedText,
        @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Details details) {

    /**
     * What is told of an answer besides its text.
     *
     * @param finishReason {@code length}, {@code eos_token} or {@code stop_sequence}
     * @param generatedTokens how many tokens were generated, the one that ended it included
     * @param seed the seed by which tokens were drawn; null where none were
     * @param prefill the prompt, where that was asked for
     * @param tokens all tokens, the one that ended it included
     * @param bestOf the answers that were less likely; left out where only one was generated
     * @param topTokens the likeliest tokens in the place of each; left out where none were asked for
     */
    record Details(
            @JsonProperty("finish_reason") String finishReason,
            @JsonProperty("generated_tokens") int generatedTokens,
            @Nullable Long seed,
            List<PrefillToken> prefill,
            List<Token> tokens,
            @JsonProperty("best_of_sequences") @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable
                    List<Sequence> bestOf,
            @JsonProperty("top_tokens") @JsonInclude(JsonInclude.Include.NON_EMPTY) List<List<Token>> topTokens) {}

    /** An answer that another one was preferred to. */
    record Sequence(
            @JsonProperty("generated_text") String generatedText,
            @JsonProperty("finish_reason") String finishReason,
            @JsonProperty("generated_tokens") int generatedTokens,
            @Nullable Long seed,
            List<PrefillToken> prefill,
            List<Token> tokens,
            @JsonProperty("top_tokens") @JsonInclude(JsonInclude.Include.NON_EMPTY) List<List<Token>> topTokens) {}

    /** A token of the prompt; nothing precedes the first one, so that its log-probability is null. */
    record PrefillToken(int id, String text, @Nullable Double logprob) {}
}
