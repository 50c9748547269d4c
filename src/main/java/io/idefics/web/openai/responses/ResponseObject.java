package io.idefics.web.openai.responses;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import io.idefics.web.openai.LogprobsObject;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** OpenAI's {@code Response}; nothing is stored, and the model has no tools. */
@JsonNaming(SnakeCaseStrategy.class)
record ResponseObject(
        String id,
        String object,
        long createdAt,
        String status,
        boolean background,
        @Nullable Long completedAt,
        @Nullable Failure error,
        @Nullable IncompleteDetails incompleteDetails,
        @Nullable String instructions,
        @Nullable Integer maxOutputTokens,
        Map<String, String> metadata,
        String model,
        List<OutputMessage> output,
        boolean parallelToolCalls,
        @Nullable String previousResponseId,
        Reasoning reasoning,
        String serviceTier,
        boolean store,
        double temperature,
        TextConfig text,
        String toolChoice,
        List<Object> tools,
        int topLogprobs,
        double topP,
        String truncation,
        @Nullable ResponseUsage usage) {

    static final String OBJECT = "response";

    /** OpenAI's {@code ResponseError}. */
    record Failure(String code, String message) {}

    /** Why the answer is not complete. */
    record IncompleteDetails(String reason) {}

    /** OpenAI's {@code Reasoning}, of which there is none. */
    record Reasoning(@Nullable String effort, @Nullable String summary) {}

    /** OpenAI's {@code ResponseTextParam}. */
    record TextConfig(Object format) {}

    /** OpenAI's {@code OutputMessage}. */
    record OutputMessage(String id, String type, String status, String role, List<OutputText> content) {}

    /** OpenAI's {@code OutputTextContent}; {@code logprobs} is empty unless asked for. */
    record OutputText(String type, String text, List<Object> annotations, List<Logprob> logprobs) {

        static OutputText of(String text, List<Logprob> logprobs) {
            return new OutputText("output_text", text, List.of(), logprobs);
        }
    }

    /** OpenAI's {@code LogProb}; special tokens, which add nothing to the text, have no bytes. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Logprob(String token, double logprob, List<Integer> bytes, List<TopLogprob> topLogprobs) {

        static List<Logprob> of(List<TokenLogprob> tokens) {
            return tokens.stream().map(Logprob::of).toList();
        }

        private static Logprob of(TokenLogprob token) {
            Candidate chosen = token.chosen();
            List<TopLogprob> top = token.top().stream()
                    .map(candidate ->
                            new TopLogprob(candidate.token(), LogprobsObject.logprob(candidate), bytes(candidate)))
                    .toList();
            return new Logprob(chosen.token(), LogprobsObject.logprob(chosen), bytes(chosen), top);
        }

        private static List<Integer> bytes(Candidate candidate) {
            return Optional.ofNullable(candidate.bytes()).orElse(List.of());
        }
    }

    /** One of the most likely tokens. */
    record TopLogprob(String token, double logprob, List<Integer> bytes) {}

    /** OpenAI's {@code ResponseUsage}, with the tokens that stand for pictures as a detail of the input. */
    @JsonNaming(SnakeCaseStrategy.class)
    record ResponseUsage(
            int inputTokens,
            InputDetails inputTokensDetails,
            int outputTokens,
            OutputDetails outputTokensDetails,
            int totalTokens) {

        @JsonNaming(SnakeCaseStrategy.class)
        record InputDetails(int cachedTokens, int cacheWriteTokens, int imageTokens) {}

        @JsonNaming(SnakeCaseStrategy.class)
        record OutputDetails(int reasoningTokens) {}
    }
}
