package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The {@code logprobs} of OpenAI's choices; {@code refusal} is always null. */
public record LogprobsObject(List<Token> content, @Nullable Object refusal) {

    /** OpenAI's way to write that a token is very unlikely; JSON has no infinity. */
    private static final double VERY_UNLIKELY = -9999;

    /** OpenAI's {@code ChatCompletionTokenLogprob}. */
    public record Token(
            String token,
            double logprob,
            @Nullable List<Integer> bytes,
            @JsonProperty("top_logprobs") List<Top> topLogprobs) {}

    /** One of the most likely tokens. */
    public record Top(String token, double logprob, @Nullable List<Integer> bytes) {}

    static LogprobsObject of(List<TokenLogprob> tokens) {
        return new LogprobsObject(tokens.stream().map(LogprobsObject::token).toList(), null);
    }

    private static Token token(TokenLogprob token) {
        Candidate chosen = token.chosen();
        List<Top> top = token.top().stream()
                .map(candidate -> new Top(candidate.token(), logprob(candidate), candidate.bytes()))
                .toList();
        return new Token(chosen.token(), logprob(chosen), chosen.bytes(), top);
    }

    /** The log-probability of a token as it is told. */
    public static double logprob(Candidate candidate) {
        return told(candidate.logprob());
    }

    /** A log-probability that JSON can tell. */
    static double told(double logprob) {
        return Math.max(logprob, VERY_UNLIKELY);
    }
}
