package io.idefics.web.tgi;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One token of a stream.
 *
 * @param index which one it is, from 1 on
 * @param token the token
 * @param topTokens the likeliest tokens in its place; left out where none were asked for
 * @param generatedText the whole text, with the last token only
 * @param details how the answer ended, with the last token only and where asked for
 */
record StreamResponse(
        int index,
        Token token,
        @JsonProperty("top_tokens") @JsonInclude(JsonInclude.Include.NON_EMPTY) List<Token> topTokens,
        @JsonProperty("generated_text") @Nullable String generatedText,
        @Nullable Details details) {

    /** How a streamed answer ended. */
    record Details(
            @JsonProperty("finish_reason") String finishReason,
            @JsonProperty("generated_tokens") int generatedTokens,
            @Nullable Long seed,
            @JsonProperty("input_length") int inputLength) {}
}
