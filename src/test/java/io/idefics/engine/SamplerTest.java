package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.idefics.engine.TokenLogprobs.Alternative;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {

    private static final int[] NONE = {};
    private static final Set<Integer> STOP = Set.of(0, 3);

    /** Logits whose softmax is 0.5, 0.3, 0.15, 0.05. */
    private static final double[] SHARES = {0.5, 0.3, 0.15, 0.05};

    private final Params params = new Params();
    private final SamplerScratch scratch = new SamplerScratch();

    @Test
    void next_greedy_isTheLargestLogit() {
        assertThat(next(params.temperature(0).sampler(), new float[] {1, 3, 2, 3}))
                .isEqualTo(1);
    }

    @Test
    void next_sameSeed_drawsTheSame() {
        List<Integer> first = draws(params.seed(42).sampler(), 200);

        assertThat(draws(params.seed(42).sampler(), 200)).isEqualTo(first);
        assertThat(draws(params.seed(43).sampler(), 200)).isNotEqualTo(first);
    }

    @Test
    void next_noSeed_drawsDifferently() {
        assertThat(draws(params.noSeed().sampler(), 200))
                .isNotEqualTo(draws(params.noSeed().sampler(), 200));
    }

    @Test
    void next_manyDraws_followTheProbabilities() {
        assertThat(frequencies(params.sampler())).containsExactly(SHARES, within(0.01));
    }

    @Test
    void next_lowTemperature_sharpensTheProbabilities() {
        double sum = 0.25 + 0.09 + 0.0225 + 0.0025;

        assertThat(frequencies(params.temperature(0.5).sampler()))
                .containsExactly(new double[] {0.25 / sum, 0.09 / sum, 0.0225 / sum, 0.0025 / sum}, within(0.01));
    }

    @Test
    void next_topK_drawsOnlyThose() {
        assertThat(frequencies(params.topK(2).sampler()))
                .containsExactly(new double[] {0.625, 0.375, 0, 0}, within(0.01));
    }

    @Test
    void next_topKAboveVocabulary_keepsAll() {
        assertThat(frequencies(params.topK(1_000_000).sampler())).containsExactly(SHARES, within(0.01));
    }

    @Test
    void next_topP_drawsTheNucleus() {
        assertThat(frequencies(params.topP(0.7).sampler()))
                .containsExactly(new double[] {0.625, 0.375, 0, 0}, within(0.01));
    }

    @Test
    void next_tiniestTopP_keepsTheLikeliest() {
        assertThat(draws(params.topP(Double.MIN_VALUE).sampler(), 50)).containsOnly(0);
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-320, Double.MIN_VALUE, 1e-10, 1e-4})
    void next_tinyTemperature_isGreedy(double temperature) {
        assertThat(draws(params.temperature(temperature).sampler(), 50)).containsOnly(0);
    }

    @Test
    void next_tinyTemperatureAndEqualLogits_drawsAmongThem() {
        Sampler sampler = params.temperature(1e-320).sampler();

        assertThat(IntStream.range(0, 100).map(i -> next(sampler, new float[] {5, -5, 5})))
                .containsOnly(0, 2)
                .contains(0, 2);
    }

    @Test
    void next_banned_isNeverDrawn() {
        Sampler sampler = sampler(params.build(), NONE, new int[] {0, 2});

        assertThat(draws(sampler, 500)).containsOnly(1, 3);
    }

    @Test
    void next_bannedWithBias_isNeverDrawn() {
        Sampler sampler = sampler(params.bias(Map.of(0, 100.0)).build(), NONE, new int[] {0});

        assertThat(draws(sampler, 100)).doesNotContain(0);
    }

    @Test
    void next_bias_changesTheChoice() {
        assertThat(draws(params.bias(Map.of(3, 100.0)).sampler(), 50)).containsOnly(3);
        assertThat(draws(params.bias(Map.of(0, -100.0)).sampler(), 50)).doesNotContain(0);
    }

    @Test
    void next_biasBeyondVocabulary_changesNothing() {
        assertThat(draws(
                        params.temperature(0)
                                .bias(Map.of(4, 100.0, 999_999_999, 100.0))
                                .sampler(),
                        3))
                .containsOnly(0);
    }

    @Test
    void next_repetitionPenalty_coversPromptAndAnswer() {
        Params penalised = params.temperature(0).repetitionPenalty(2);

        assertThat(next(sampler(penalised.build(), new int[] {1}, NONE), new float[] {3, 4, 1}))
                .isZero();
        Sampler sampler = sampler(penalised.build(), NONE, NONE);
        assertThat(List.of(next(sampler, new float[] {3, 4, 1}), next(sampler, new float[] {3, 4, 1})))
                .containsExactly(1, 0);
    }

    @Test
    void edit_repetitionPenalty_movesBothSignsDown() {
        float[] logits = {2, -2, 3};

        sampler(params.temperature(0).repetitionPenalty(2).build(), new int[] {0, 1, 1}, NONE)
                .edit(logits);

        assertThat(logits).containsExactly(1, -4, 3);
    }

    @Test
    void edit_presenceAndFrequency_countTheAnswerOnly() {
        Sampler sampler = sampler(
                params.temperature(0)
                        .presencePenalty(0.5)
                        .frequencyPenalty(0.25)
                        .build(),
                new int[] {2},
                NONE);
        next(sampler, new float[] {0, 9, 0});
        next(sampler, new float[] {0, 9, 0});
        next(sampler, new float[] {9, 0, 0});
        float[] logits = {5, 5, 5};

        sampler.edit(logits);

        assertThat(logits).containsExactly(5 - 0.5f - 0.25f, 5 - 0.5f - 0.5f, 5);
    }

    @Test
    void next_negativePresencePenalty_favoursRepetition() {
        Sampler sampler = sampler(params.temperature(0).presencePenalty(-2).build(), NONE, NONE);

        assertThat(next(sampler, new float[] {1, 2})).isEqualTo(1);
        assertThat(next(sampler, new float[] {2, 1})).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
    void next_logitIsNoNumber_fails(float logit) {
        for (double temperature : new double[] {0, 1}) {
            assertThatThrownBy(() -> next(params.temperature(temperature).sampler(), new float[] {1, logit, 2}))
                    .isInstanceOf(LogitsException.class)
                    .hasMessageContaining(String.valueOf(logit));
        }
    }

    @Test
    void next_everythingBanned_fails() {
        float[] logits = new float[3];
        Arrays.fill(logits, Float.NEGATIVE_INFINITY);

        assertThatThrownBy(() -> next(params.sampler(), logits))
                .isInstanceOf(LogitsException.class)
                .hasMessageContaining("No token is left");
        assertThatThrownBy(() -> next(sampler(params.build(), NONE, new int[] {0, 1}), new float[2]))
                .isInstanceOf(LogitsException.class);
    }

    @Test
    void next_minP_drawsTheLikelyEnough() {
        assertThat(frequencies(params.minP(0.4).sampler()))
                .containsExactly(new double[] {0.625, 0.375, 0, 0}, within(0.01));
    }

    @Test
    void next_typicalP_mayLeaveOutTheLikeliest() {
        // The entropy is 1.14; the information of the tokens 0.69, 1.20, 1.90 and 3.00.
        assertThat(frequencies(params.typicalP(0.29).sampler()))
                .containsExactly(new double[] {0, 1, 0, 0}, within(0.01));
        assertThat(frequencies(params.typicalP(0.31).sampler()))
                .containsExactly(new double[] {0.625, 0.375, 0, 0}, within(0.01));
    }

    @Test
    void next_strictestOfEverything_neverFails() {
        Params strict = params.temperature(1e-320)
                .topK(1)
                .topP(Double.MIN_VALUE)
                .minP(1)
                .typicalP(Double.MIN_VALUE);

        assertThat(draws(strict.sampler(), 50)).containsOnly(0);
    }

    @Test
    void next_largestAndSmallestLogits_neverOverflow() {
        float[] logits = {-Float.MAX_VALUE, Float.MAX_VALUE, Float.NEGATIVE_INFINITY, 0};

        for (double temperature : new double[] {0, 1e-320, 0.5, 2}) {
            assertThat(next(
                            params.temperature(temperature)
                                    .topP(0.9)
                                    .typicalP(0.9)
                                    .sampler(),
                            logits.clone()))
                    .isEqualTo(1);
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-300, 1e-40, 1e-9, 10})
    void next_extremeRepetitionPenalty_neverFails(double penalty) {
        for (double temperature : new double[] {0, 1}) {
            Sampler sampler = sampler(
                    params.temperature(temperature).repetitionPenalty(penalty).build(), new int[] {0, 1, 2}, NONE);

            assertThat(next(sampler, new float[] {0, 5, -5, 0.5f})).isBetween(0, 3);
        }
    }

    @Test
    void next_fewerThanMinTokens_neverDrawsAStop() {
        Sampler sampler = new Sampler(request(params.build(), NONE, NONE, 100, SequenceRequest.NO_LOGPROBS));

        assertThat(draws(sampler, 100)).containsOnly(1, 2);
        assertThat(draws(sampler, 100)).contains(0, 3);
    }

    @Test
    void next_neighboursWithTheSameScratch_changeNothing() {
        List<Integer> alone = draws(params.topP(0.9).seed(5).sampler(), 50);
        Sampler one = params.topP(0.9).seed(5).sampler();
        Sampler other = params.topP(1).typicalP(0.5).seed(6).sampler();
        Sampler told = new Sampler(request(params.build(), NONE, NONE, 0, 2));

        List<Integer> mixed = IntStream.range(0, 50)
                .map(i -> {
                    next(other, new float[] {1, 2, 3, 4, 5, 6, 7});
                    next(told, new float[] {3, 2, 1, 1, 1});
                    return next(one, logits());
                })
                .boxed()
                .toList();

        assertThat(mixed).isEqualTo(alone);
    }

    @Test
    void next_logprobs_areThoseOfTheModelBeforeAnyStep() {
        SamplingParams strange = params.temperature(2)
                .topK(2)
                .repetitionPenalty(3)
                .bias(Map.of(3, 100.0))
                .build();
        Sampler sampler = new Sampler(request(strange, new int[] {0}, new int[] {1}, 0, 2));

        SequenceEvent.Token token = sampler.next(logits(), scratch);

        assertThat(token.id()).isEqualTo(3);
        assertThat(token.logprobs().logprob()).isCloseTo(Math.log(0.05), within(1e-6));
        assertThat(token.logprobs().top()).extracting(Alternative::id).containsExactly(0, 1);
        assertThat(token.logprobs().top().get(1).logprob()).isCloseTo(Math.log(0.3), within(1e-6));
    }

    @Test
    void next_logprobsWithoutAlternatives_tellTheTokenAlone() {
        SequenceEvent.Token token =
                new Sampler(request(params.temperature(0).build(), NONE, NONE, 0, 0)).next(logits(), scratch);

        assertThat(token.logprobs().logprob()).isCloseTo(Math.log(0.5), within(1e-6));
        assertThat(token.logprobs().top()).isEmpty();
    }

    @Test
    void next_moreAlternativesThanTokens_tellsAll() {
        float[] logits = {1, 1, Float.NEGATIVE_INFINITY};

        SequenceEvent.Token token =
                new Sampler(request(params.temperature(0).build(), NONE, NONE, 0, 20)).next(logits, scratch);

        assertThat(token.logprobs().top()).extracting(Alternative::id).containsExactly(0, 1, 2);
        assertThat(token.logprobs().top().get(2).logprob()).isEqualTo(Double.NEGATIVE_INFINITY);
    }

    @Test
    void next_noLogprobs_tellsNone() {
        assertThat(params.sampler().next(logits(), scratch).logprobs()).isNull();
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
    void next_logitOfBannedTokenIsNoNumber_fails(float logit) {
        assertThatThrownBy(() -> next(sampler(params.build(), NONE, new int[] {1}), new float[] {1, logit, 2}))
                .isInstanceOf(LogitsException.class);
        assertThatThrownBy(() -> next(params.bias(Map.of(1, 1.0)).sampler(), new float[] {1, logit, 2}))
                .isInstanceOf(LogitsException.class);
        assertThatThrownBy(() -> next(
                        sampler(params.repetitionPenalty(2).build(), new int[] {1}, NONE), new float[] {1, logit, 2}))
                .isInstanceOf(LogitsException.class);
        assertThatThrownBy(() ->
                        new Sampler(request(params.build(), NONE, NONE, 0, 3)).next(new float[] {1, logit, 2}, scratch))
                .isInstanceOf(LogitsException.class);
    }

    private int next(Sampler sampler, float[] logits) {
        return sampler.next(logits, scratch).id();
    }

    private static Sampler sampler(SamplingParams params, int[] promptIds, int[] bannedIds) {
        return new Sampler(request(params, promptIds, bannedIds, 0, SequenceRequest.NO_LOGPROBS));
    }

    private static SequenceRequest request(
            SamplingParams params, int[] promptIds, int[] bannedIds, int minTokens, int topLogprobs) {
        ModelInput input = new ModelInput(promptIds, new int[promptIds.length], List.of());
        return new SequenceRequest(input, params, 1_000, minTokens, STOP, bannedIds, topLogprobs, "", null);
    }

    private List<Integer> draws(Sampler sampler, int count) {
        return IntStream.range(0, count).mapToObj(i -> next(sampler, logits())).toList();
    }

    private double[] frequencies(Sampler sampler) {
        int count = 40_000;
        double[] frequencies = new double[SHARES.length];
        draws(sampler, count).forEach(id -> frequencies[id] += 1.0 / count);
        return frequencies;
    }

    private static float[] logits() {
        float[] logits = new float[SHARES.length];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) Math.log(SHARES[i]);
        }
        return logits;
    }

    /** Sampling with temperature 1 and a fixed seed, unless something else is asked for. */
    private static final class Params {

        private double temperature = 1;
        private double topP = 1;
        private int topK;
        private double minP;
        private double typicalP = 1;
        private double repetitionPenalty = 1;
        private double presencePenalty;
        private double frequencyPenalty;
        private Map<Integer, Double> bias = Map.of();
        private OptionalLong seed = OptionalLong.of(1);

        Params temperature(double value) {
            temperature = value;
            return this;
        }

        Params topP(double value) {
            topP = value;
            return this;
        }

        Params topK(int value) {
            topK = value;
            return this;
        }

        Params minP(double value) {
            minP = value;
            return this;
        }

        Params typicalP(double value) {
            typicalP = value;
            return this;
        }

        Params repetitionPenalty(double value) {
            repetitionPenalty = value;
            return this;
        }

        Params presencePenalty(double value) {
            presencePenalty = value;
            return this;
        }

        Params frequencyPenalty(double value) {
            frequencyPenalty = value;
            return this;
        }

        Params bias(Map<Integer, Double> value) {
            bias = value;
            return this;
        }

        Params seed(long value) {
            seed = OptionalLong.of(value);
            return this;
        }

        Params noSeed() {
            seed = OptionalLong.empty();
            return this;
        }

        SamplingParams build() {
            return new SamplingParams(
                    temperature,
                    topP,
                    topK,
                    minP,
                    typicalP,
                    repetitionPenalty,
                    presencePenalty,
                    frequencyPenalty,
                    bias,
                    seed);
        }

        Sampler sampler() {
            return SamplerTest.sampler(build(), NONE, NONE);
        }
    }
}
