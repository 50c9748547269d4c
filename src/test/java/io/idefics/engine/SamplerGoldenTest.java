package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.SamplingParams;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The logits processors of the reference, one step each. */
class SamplerGoldenTest {

    private static final Path CASES = Path.of("src/test/resources/golden/sampling/cases.json");

    static List<Arguments> cases() throws IOException {
        List<Arguments> cases = new ArrayList<>();
        for (JsonNode c : new ObjectMapper().readTree(CASES.toFile()).get("cases")) {
            cases.add(Arguments.of(c.get("name").textValue(), c));
        }
        return cases;
    }

    @Test
    void cases_wholeFile_arePresent() throws IOException {
        assertThat(cases()).hasSize(10);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void process_goldenCase_isTheReference(String name, JsonNode golden) {
        int[] previous = ints(golden.get("previous_ids"));
        float[] logits = floats(golden.get("logits"));

        new Sampler(params(golden.get("options")), previous, banned(golden.get("options"), previous)).process(logits);

        assertThat(logits).containsExactly(floats(golden.get("processed")), within(1e-5f));
        double[] expected = StreamSupport.stream(golden.get("probabilities").spliterator(), false)
                .mapToDouble(JsonNode::doubleValue)
                .toArray();
        assertThat(Sampler.probabilities(logits)).containsExactly(expected, within(1e-5));
    }

    private static SamplingParams params(JsonNode options) {
        return new SamplingParams(
                options.path("temperature").asDouble(1),
                options.path("top_p").asDouble(1),
                options.path("top_k").asInt(0),
                0,
                1,
                options.path("repetition_penalty").asDouble(1),
                0,
                0,
                Map.of(),
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

    private static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
    }

    /** Values in which null stands for negative infinity. */
    private static float[] floats(JsonNode array) {
        float[] values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).isNull()
                    ? Float.NEGATIVE_INFINITY
                    : array.get(i).floatValue();
        }
        return values;
    }
}
