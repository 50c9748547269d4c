package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The logits processors of the reference, one step each and in their order. */
class SamplerGoldenTest {

    private static final Path DIRECTORY = Path.of("src/test/resources/golden/sampling");

    /** Steps that only sampling takes; without them the processed logits can be compared as they are. */
    private static final List<String> WARPERS = List.of("temperature", "top_k", "top_p", "min_p", "typical_p");

    private final SamplerScratch scratch = new SamplerScratch();

    static List<Arguments> cases() throws IOException {
        List<Arguments> cases = new ArrayList<>();
        for (String file : List.of("cases.json", "warpers.json")) {
            for (JsonNode c : new ObjectMapper()
                    .readTree(DIRECTORY.resolve(file).toFile())
                    .get("cases")) {
                cases.add(Arguments.of(c.get("name").textValue(), c));
            }
        }
        return cases;
    }

    @Test
    void cases_wholeFiles_arePresent() throws IOException {
        assertThat(cases()).hasSize(10 + 17);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void candidates_goldenCase_areTheReference(String name, JsonNode golden) {
        float[] logits = floats(golden.get("logits"));
        double[] processed = doubles(golden.get("processed"));

        Sampler sampler = sampler(golden);
        sampler.edit(logits);
        if (WARPERS.stream().noneMatch(golden.get("options")::has)) {
            assertThat(logits).containsExactly(floats(golden.get("processed")), within(1e-5f));
        }
        double[] logWeights = sampler.candidates(logits, logits[Sampler.argmax(logits)], scratch)
                .logWeights(logits.length);

        assertThat(aboveMax(logWeights)).containsExactly(aboveMax(processed), within(1e-5));
        assertThat(probabilities(logWeights)).containsExactly(doubles(golden.get("probabilities")), within(1e-5));
    }

    /** A sampler after the tokens of the case. */
    private Sampler sampler(JsonNode golden) {
        JsonNode options = golden.get("options");
        int[] answer = ints(golden.path("answer_ids"));
        int[] prompt = ints(golden.path(answer.length == 0 ? "previous_ids" : "prompt_ids"));
        Set<Integer> stopIds = new HashSet<>();
        options.path("eos_token_id").forEach(id -> stopIds.add(id.intValue()));
        Sampler sampler = new Sampler(new SequenceRequest(
                new ModelInput(prompt, new int[prompt.length], List.of()),
                params(options),
                1_000,
                options.path("min_new_tokens").asInt(0),
                stopIds,
                banned(options, prompt),
                SequenceRequest.NO_LOGPROBS,
                "",
                null));
        for (int id : answer) {
            float[] certain = new float[golden.get("logits").size()];
            Arrays.fill(certain, -1e9f);
            certain[id] = 1e9f;
            assertThat(sampler.next(certain, scratch).id()).isEqualTo(id);
        }
        return sampler;
    }

    private static SamplingParams params(JsonNode options) {
        Map<Integer, Double> bias = new HashMap<>();
        options.path("sequence_bias")
                .forEach(pair ->
                        bias.put(pair.get(0).get(0).intValue(), pair.get(1).doubleValue()));
        return new SamplingParams(
                options.path("temperature").asDouble(1),
                options.path("top_p").asDouble(1),
                options.path("top_k").asInt(0),
                options.path("min_p").asDouble(0),
                options.path("typical_p").asDouble(1),
                options.path("repetition_penalty").asDouble(1),
                0,
                0,
                bias,
                OptionalLong.empty());
    }

    /** Bans of sequences are not supported; here they become bans of their last tokens where the rest has matched. */
    private static int[] banned(JsonNode options, int[] previous) {
        return StreamSupport.stream(options.path("bad_words_ids").spliterator(), false)
                .map(SamplerGoldenTest::ints)
                .filter(word -> endsWith(previous, word, word.length - 1))
                .mapToInt(word -> word[word.length - 1])
                .toArray();
    }

    private static boolean endsWith(int[] ids, int[] word, int length) {
        return IntStream.range(0, length).allMatch(i -> ids[ids.length - length + i] == word[i]);
    }

    /** Logits mean the same after a shift; this one makes the largest 0. */
    private static double[] aboveMax(double[] logits) {
        double max = Arrays.stream(logits).max().orElseThrow();
        return Arrays.stream(logits).map(logit -> logit - max).toArray();
    }

    private static double[] probabilities(double[] logWeights) {
        double sum = Arrays.stream(logWeights).map(Math::exp).sum();
        return Arrays.stream(logWeights).map(value -> Math.exp(value) / sum).toArray();
    }

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
    }

    private static float[] floats(JsonNode array) {
        double[] doubles = doubles(array);
        float[] floats = new float[doubles.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) doubles[i];
        }
        return floats;
    }

    /** Values in which null stands for negative infinity. */
    private static double[] doubles(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .mapToDouble(value -> value.isNull() ? Double.NEGATIVE_INFINITY : value.doubleValue())
                .toArray();
    }
}
