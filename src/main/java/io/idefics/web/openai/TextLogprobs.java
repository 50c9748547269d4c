package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The {@code logprobs} of OpenAI's text completions: lists of one entry a token.
 *
 * @param tokens their texts
 * @param tokenLogprobs their log-probabilities; null for the first one of a prompt, which nothing precedes
 * @param topLogprobs the most likely tokens and the one of the text, the likeliest first; null as above
 * @param textOffset where their texts begin, in code points
 */
record TextLogprobs(
        List<String> tokens,
        @JsonProperty("token_logprobs") List<@Nullable Double> tokenLogprobs,
        @JsonProperty("top_logprobs") List<@Nullable Map<String, Double>> topLogprobs,
        @JsonProperty("text_offset") List<Integer> textOffset) {

    /** How vLLM writes a token as its id. */
    private static final String ID_PREFIX = "token_id:";

    /**
     * What is told of tokens.
     *
     * @param idsAsTokens whether tokens are named by their ids
     */
    static TextLogprobs of(List<TokenLogprob> told, boolean idsAsTokens) {
        List<String> tokens = new ArrayList<>();
        List<@Nullable Double> logprobs = new ArrayList<>();
        List<@Nullable Map<String, Double>> top = new ArrayList<>();
        List<Integer> offsets = new ArrayList<>();
        for (TokenLogprob token : told) {
            Candidate chosen = token.chosen();
            boolean isFirst = Double.isNaN(chosen.logprob());
            tokens.add(idsAsTokens ? id(chosen) : chosen.token());
            logprobs.add(isFirst ? null : LogprobsObject.logprob(chosen));
            top.add(isFirst ? null : top(token, idsAsTokens));
            offsets.add(token.offset());
        }
        return new TextLogprobs(tokens, logprobs, top, offsets);
    }

    /** Several tokens may have the same text, as bytes do; the one of the text keeps its name, the others get their ids. */
    private static Map<String, Double> top(TokenLogprob token, boolean idsAsTokens) {
        Candidate chosen = token.chosen();
        Map<String, Double> top = new LinkedHashMap<>();
        for (Candidate candidate : token.top()) {
            boolean isTaken = candidate.id() != chosen.id()
                    && (candidate.token().equals(chosen.token()) || top.containsKey(candidate.token()));
            top.put(idsAsTokens || isTaken ? id(candidate) : candidate.token(), LogprobsObject.logprob(candidate));
        }
        top.putIfAbsent(idsAsTokens ? id(chosen) : chosen.token(), LogprobsObject.logprob(chosen));
        return top;
    }

    private static String id(Candidate candidate) {
        return ID_PREFIX + candidate.id();
    }
}
