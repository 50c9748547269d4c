package io.idefics.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every checkpoint kind against the reference implementation, from the vision tower up to whole answers. */
class IdeficsModelGoldenTest {

    private static final Path BFLOAT16 = Path.of("src/test/resources/golden/bfloat16.json");

    static Stream<Arguments> checkpoints() {
        return Stream.of(
                Arguments.of("tiny-f32", "tiny-f32"),
                Arguments.of("tiny-bf16-sharded", "tiny-bf16-sharded"),
                Arguments.of("tiny-80b-style", "tiny-80b-style"),
                Arguments.of("tiny-noresampler", "tiny-noresampler"),
                Arguments.of("tiny-bin", "tiny-bin"),
                Arguments.of("tiny-bin-sharded", "tiny-bin"));
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void visionAndResampler_float32_matchReference(String checkpoint, String data) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.FLOAT32)) {
            List<PixelValues> images = golden.images();
            float[] vision = model.visionStates(images);
            float[] hidden = model.imageHiddenStates(images);
            int compared = 0;
            for (int i = 0; i < images.size(); i++) {
                compared += compareSlice(golden, "vision." + i, vision, i, images.size(), 1e-4);
                compared += compareSlice(golden, "resampler." + i, hidden, i, images.size(), 1e-4);
            }
            assertThat(compared).isPositive();
        }
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void hiddenStates_float32_matchReference(String checkpoint, String data) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.FLOAT32);
                ImageStates images = model.encodeImages(golden.images())) {
            for (JsonNode fact : golden.facts.get("cases")) {
                String name = fact.get("name").textValue();
                try (KeyValueCache cache = model.newCache(golden.prompt(name).rows())) {
                    List<float[]> states = model.hiddenStates(golden.prompt(name), images, cache);
                    List<String> stages = stages(model);
                    assertThat(states).hasSameSizeAs(stages);
                    int compared = 0;
                    for (int i = 0; i < states.size(); i++) {
                        String tensor = name + "." + stages.get(i);
                        if (golden.has(tensor)) {
                            boolean first = stages.get(i).endsWith("_0");
                            Difference difference =
                                    difference(states.get(i), golden.floats(tensor), golden.attentionMask(name));
                            assertThat(difference.max()).as(tensor).isLessThanOrEqualTo(first ? 2e-4 : 5e-4);
                            compared++;
                        }
                    }
                    assertThat(compared).isGreaterThanOrEqualTo(4);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void logits_float32_matchReferenceAtEveryPosition(String checkpoint, String data) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.FLOAT32);
                ImageStates images = model.encodeImages(golden.images())) {
            for (JsonNode fact : golden.facts.get("cases")) {
                String name = fact.get("name").textValue();
                List<Difference> differences = logitDifferences(golden, model, images, name);
                assertThat(differences).isNotEmpty();
                for (Difference difference : differences) {
                    assertThat(difference.max()).as(name).isLessThanOrEqualTo(1e-3);
                    assertThat(difference.mean()).as(name).isLessThanOrEqualTo(1e-4);
                }
            }
        }
    }

    /** The mean of each checkpoint; the largest of all, since a single outlier differs from processor to processor. */
    @Test
    void logits_bfloat16_areAsCloseAsTheReferenceInBfloat16() {
        JsonNode reference = GoldenModel.json(BFLOAT16).get("checkpoints");
        double largest = 0;
        double referenceLargest = 0;
        for (Arguments checkpoint : checkpoints().toList()) {
            String name = (String) checkpoint.get()[0];
            JsonNode expected = reference.get((String) checkpoint.get()[1]);
            Difference actual = bfloat16Difference(name, (String) checkpoint.get()[1]);
            assertThat(actual.mean())
                    .as(name)
                    .isLessThanOrEqualTo(expected.get("mean").doubleValue());
            largest = Math.max(largest, actual.max());
            referenceLargest = Math.max(referenceLargest, expected.get("max").doubleValue());
        }
        assertThat(largest).isLessThanOrEqualTo(referenceLargest);
    }

    private static Difference bfloat16Difference(String checkpoint, String data) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.BFLOAT16);
                ImageStates images = model.encodeImages(golden.images())) {
            List<Difference> differences = new ArrayList<>();
            for (JsonNode fact : golden.facts.get("cases")) {
                differences.addAll(
                        logitDifferences(golden, model, images, fact.get("name").textValue()));
            }
            return Difference.of(differences);
        }
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void generate_cached_matchesReferenceTokens(String checkpoint, String data) {
        assertGenerations(checkpoint, data, true);
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void generate_uncached_matchesReferenceTokens(String checkpoint, String data) {
        assertGenerations(checkpoint, data, false);
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void forward_inChunks_matchesOnePass(String checkpoint, String data) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.FLOAT32);
                ImageStates images = model.encodeImages(golden.images());
                KeyValueCache whole = model.newCache(1);
                KeyValueCache parts = model.newCache(1)) {
            Step prompt = golden.prompt("three_images");
            int[] ids = prompt.inputIds()[0];
            float[] expected = model.forward(prompt, images, whole, 1)[0][0];

            float[] actual = {};
            for (int start = 0; start < ids.length; start += 7) {
                int end = Math.min(start + 7, ids.length);
                Step chunk = Step.of(
                        Arrays.copyOfRange(ids, start, end),
                        start,
                        Arrays.copyOfRange(prompt.imageIndex()[0], start, end));
                actual = model.forward(chunk, images, parts, 1)[0][0];
            }

            assertThat(actual).containsExactly(expected, within(1e-3f));
            assertThat(parts.length()).isEqualTo(ids.length);
        }
    }

    private static void assertGenerations(String checkpoint, String data, boolean cached) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.FLOAT32);
                ImageStates images = model.encodeImages(golden.images())) {
            for (JsonNode generation : golden.facts.get("generations")) {
                List<List<Integer>> expected = new ArrayList<>();
                generation.get("new_tokens").forEach(row -> {
                    List<Integer> ids = new ArrayList<>();
                    row.forEach(id -> ids.add(id.intValue()));
                    expected.add(ids);
                });
                assertThat(generate(golden, model, images, generation, cached))
                        .as(generation.get("name").textValue())
                        .isEqualTo(expected);
            }
        }
    }

    /** Greedy decoding of all rows side by side, as the reference does it. */
    private static List<List<Integer>> generate(
            GoldenModel golden, IdeficsModel model, ImageStates images, JsonNode generation, boolean cached) {
        Step step = golden.prompt(generation.get("case").textValue());
        int rows = step.rows();
        List<List<Integer>> tokens = new ArrayList<>();
        boolean[] done = new boolean[rows];
        for (int row = 0; row < rows; row++) {
            tokens.add(new ArrayList<>());
        }
        KeyValueCache cache = model.newCache(rows);
        try {
            for (int n = 0; n < generation.get("max_new_tokens").intValue(); n++) {
                float[][][] logits = model.forward(step, images, cache, 1);
                int[] next = new int[rows];
                for (int row = 0; row < rows; row++) {
                    for (JsonNode banned : generation.get("bad_words_ids")) {
                        logits[row][0][banned.get(0).intValue()] = Float.NEGATIVE_INFINITY;
                    }
                    next[row] = argmax(logits[row][0]);
                    if (!done[row]) {
                        tokens.get(row).add(next[row]);
                        for (JsonNode eos : generation.get("eos_token_id")) {
                            done[row] |= eos.intValue() == next[row];
                        }
                    }
                }
                if (allTrue(done)) {
                    break;
                }
                step = cached ? following(step, next) : appended(step, next);
                if (!cached) {
                    cache.close();
                    cache = model.newCache(rows);
                }
            }
            return tokens;
        } finally {
            cache.close();
        }
    }

    /** The step that runs the chosen tokens alone, after everything that is cached. */
    private static Step following(Step step, int[] next) {
        Step whole = appended(step, next);
        return new Step(
                last(whole.inputIds()), last(whole.positionIds()), whole.attentionMask(), last(whole.imageIndex()));
    }

    /** The step that runs everything again, the chosen tokens included. */
    private static Step appended(Step step, int[] next) {
        int[][] ids = new int[step.rows()][];
        int[][] positions = new int[step.rows()][];
        int[][] index = new int[step.rows()][];
        int[][] mask = step.attentionMask() == null ? null : new int[step.rows()][];
        for (int row = 0; row < step.rows(); row++) {
            int t = step.tokens() - 1;
            ids[row] = append(step.inputIds()[row], next[row]);
            positions[row] = append(step.positionIds()[row], step.positionIds()[row][t] + 1);
            index[row] = append(step.imageIndex()[row], step.imageIndex()[row][t]);
            if (mask != null) {
                mask[row] = append(step.attentionMask()[row], 1);
            }
        }
        return new Step(ids, positions, mask, index);
    }

    private static int[] append(int[] values, int value) {
        int[] longer = Arrays.copyOf(values, values.length + 1);
        longer[values.length] = value;
        return longer;
    }

    private static int[][] last(int[][] rows) {
        return Arrays.stream(rows).map(row -> new int[] {row[row.length - 1]}).toArray(int[][]::new);
    }

    private static List<Difference> logitDifferences(
            GoldenModel golden, IdeficsModel model, ImageStates images, String name) {
        Step prompt = golden.prompt(name);
        List<Difference> differences = new ArrayList<>();
        try (KeyValueCache cache = model.newCache(prompt.rows());
                KeyValueCache lastOnly = model.newCache(prompt.rows())) {
            float[][][] all = model.forward(prompt, images, cache, prompt.tokens());
            if (golden.has(name + ".logits")) {
                differences.add(difference(flatten(all), golden.floats(name + ".logits"), golden.attentionMask(name)));
            }
            float[][][] last = model.forward(prompt, images, lastOnly, 1);
            int[][] everyRow = new int[prompt.rows()][];
            Arrays.fill(everyRow, new int[] {1});
            differences.add(difference(flatten(last), golden.floats(name + ".logits_last"), everyRow));
        }
        return differences;
    }

    private static List<String> stages(IdeficsModel model) {
        List<String> stages = new ArrayList<>();
        for (int i = 0; i < model.config().numHiddenLayers(); i++) {
            if (i % model.config().crossLayerInterval() == 0) {
                stages.add("after_gated_" + i / model.config().crossLayerInterval());
            }
            stages.add("after_layer_" + i);
        }
        stages.add("final");
        return stages;
    }

    private static int compareSlice(
            GoldenModel golden, String tensor, float[] all, int index, int count, double tolerance) {
        if (!golden.has(tensor)) {
            return 0;
        }
        int length = all.length / count;
        float[] slice = Arrays.copyOfRange(all, index * length, (index + 1) * length);
        assertThat(difference(slice, golden.floats(tensor), new int[][] {{1}}).max())
                .as(tensor)
                .isLessThanOrEqualTo(tolerance);
        return 1;
    }

    /** Largest and mean absolute difference over the positions whose mask is 1. */
    private static Difference difference(float[] actual, float[] expected, int[][] mask) {
        assertThat(actual).hasSameSizeAs(expected);
        int[] positions = Arrays.stream(mask).flatMapToInt(Arrays::stream).toArray();
        int width = actual.length / positions.length;
        double max = 0;
        double sum = 0;
        long count = 0;
        for (int p = 0; p < positions.length; p++) {
            for (int i = p * width; positions[p] == 1 && i < (p + 1) * width; i++) {
                double difference = Math.abs((double) actual[i] - expected[i]);
                assertThat(difference).isNotNaN();
                max = Math.max(max, difference);
                sum += difference;
                count++;
            }
        }
        return new Difference(max, sum / count, count);
    }

    private static float[] flatten(float[][][] values) {
        int width = values[0][0].length;
        float[] flat = new float[values.length * values[0].length * width];
        int at = 0;
        for (float[][] row : values) {
            for (float[] position : row) {
                System.arraycopy(position, 0, flat, at, width);
                at += width;
            }
        }
        return flat;
    }

    private static int argmax(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    private static boolean allTrue(boolean[] flags) {
        for (boolean flag : flags) {
            if (!flag) {
                return false;
            }
        }
        return true;
    }

    private record Difference(double max, double mean, long count) {

        static Difference of(List<Difference> parts) {
            long count = parts.stream().mapToLong(Difference::count).sum();
            double sum = parts.stream().mapToDouble(d -> d.mean() * d.count()).sum();
            double max = parts.stream().mapToDouble(Difference::max).max().orElseThrow();
            return new Difference(max, sum / count, count);
        }
    }
}
