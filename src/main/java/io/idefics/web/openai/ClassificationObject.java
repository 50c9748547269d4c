package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.idefics.service.Classification;
import io.idefics.service.Classification.Score;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The answer to a request to choose among answers; {@code best} is the index of the likeliest one. */
record ClassificationObject(
        String id,
        String object,
        long created,
        String model,
        @JsonProperty("system_fingerprint") @Nullable String systemFingerprint,
        List<Choice> choices,
        int best,
        UsageObject usage) {

    /**
     * One of the answers.
     *
     * @param logprob the natural logarithm of the probability that the model gives this answer and ends its turn
     * @param probability its probability among the answers alone
     * @param tokens how many tokens it has, the one that ends the turn included
     */
    record Choice(int index, String text, double logprob, double probability, int tokens) {}

    static ClassificationObject of(Classification classification, String model, @Nullable String fingerprint) {
        List<Score> scores = classification.scores();
        List<Choice> choices = IntStream.range(0, scores.size())
                .mapToObj(index -> choice(index, scores.get(index)))
                .toList();
        int best = IntStream.range(0, scores.size())
                .boxed()
                .max(Comparator.comparingDouble(
                                (Integer index) -> scores.get(index).logprob())
                        .thenComparing(Comparator.reverseOrder()))
                .orElseThrow();
        return new ClassificationObject(
                "classify-" + UUID.randomUUID().toString().replace("-", ""),
                "classification",
                Instant.now().getEpochSecond(),
                model,
                fingerprint,
                choices,
                best,
                UsageObject.of(classification.usage()));
    }

    private static Choice choice(int index, Score score) {
        return new Choice(
                index, score.text(), LogprobsObject.told(score.logprob()), score.probability(), score.tokens());
    }
}
