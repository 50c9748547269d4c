package io.idefics.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.model.GoldenModel.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
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
                IdeficsModel model = golden.load(ComputeType.FLOAT32)) {
            for (JsonNode fact : golden.facts.get("cases")) {
                String name = fact.get("name").textValue();
                List<float[]> states = model.hiddenStates(new Rows(model, golden.prompts(name)).rest(0));
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

    @ParameterizedTest
    @MethodSource("checkpoints")
    void logits_float32_matchReferenceAtEveryPosition(String checkpoint, String data) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.FLOAT32)) {
            assertLogits(golden, model);
        }
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void logits_layersOnTwoDevices_matchReferenceAtEveryPosition(String checkpoint, String data) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data)) {
            LoadOptions one = LoadOptions.of(ComputeType.FLOAT32, "cpu");
            List<String> devices = List.of("cpu", "cpu:0"); // one processor under two names
            LoadOptions split = new LoadOptions(
                    one.type(), one.quantization(), one.layout(), devices, one.quantizedCache(), one.listener());
            try (IdeficsModel model = golden.load(split)) {
                assertLogits(golden, model);
            }
        }
    }

    private static void assertLogits(GoldenModel golden, IdeficsModel model) {
        for (JsonNode fact : golden.facts.get("cases")) {
            String name = fact.get("name").textValue();
            List<Difference> differences = logitDifferences(golden, model, name);
            assertThat(differences).isNotEmpty();
            for (Difference difference : differences) {
                assertThat(difference.max()).as(name).isLessThanOrEqualTo(1e-3);
                assertThat(difference.mean()).as(name).isLessThanOrEqualTo(1e-4);
            }
        }
    }

    /** The mean of each checkpoint; the largest of all, since a single outlier differs from processor to processor. */
    @ParameterizedTest
    @EnumSource(WeightLayout.class)
    void logits_bfloat16_areAsCloseAsTheReferenceInBfloat16(WeightLayout layout) {
        JsonNode reference = GoldenModel.json(BFLOAT16).get("checkpoints");
        double largest = 0;
        double referenceLargest = 0;
        for (Arguments checkpoint : checkpoints().toList()) {
            String name = (String) checkpoint.get()[0];
            JsonNode expected = reference.get((String) checkpoint.get()[1]);
            Difference actual = bfloat16Difference(name, (String) checkpoint.get()[1], layout);
            assertThat(actual.mean())
                    .as(name)
                    .isLessThanOrEqualTo(expected.get("mean").doubleValue());
            largest = Math.max(largest, actual.max());
            referenceLargest = Math.max(referenceLargest, expected.get("max").doubleValue());
        }
        assertThat(largest).isLessThanOrEqualTo(referenceLargest);
    }

    private static Difference bfloat16Difference(String checkpoint, String data, WeightLayout layout) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model =
                        golden.load(LoadOptions.of(ComputeType.BFLOAT16, "cpu").withLayout(layout))) {
            List<Difference> differences = new ArrayList<>();
            for (JsonNode fact : golden.facts.get("cases")) {
                differences.addAll(
                        logitDifferences(golden, model, fact.get("name").textValue()));
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
                IdeficsModel model = golden.load(ComputeType.FLOAT32)) {
            List<Prompt> prompt = golden.prompts("three_images");
            float[] expected = new Rows(model, prompt).run(1)[0];

            Rows chunks = new Rows(model, prompt);
            float[] actual = {};
            while (!chunks.isRun(0)) {
                actual = chunks.run(0, 7);
            }

            assertThat(actual).containsExactly(expected, within(1e-3f));
        }
    }

    /** Prompts of every kind in one step: text alone, one image, many images. */
    @ParameterizedTest
    @MethodSource("checkpoints")
    void forward_allCasesInOneStep_givesEachRowWhatItGetsAlone(String checkpoint, String data) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.FLOAT32)) {
            List<Prompt> prompts = new ArrayList<>();
            golden.facts
                    .get("cases")
                    .forEach(fact ->
                            prompts.addAll(golden.prompts(fact.get("name").textValue())));
            Rows together = new Rows(model, prompts);
            float[][] prefill = together.run(1);
            for (int row = 0; row < prompts.size(); row++) {
                together.append(row, argmax(prefill[row]));
            }
            float[][] decode = together.run(1);

            for (int row = 0; row < prompts.size(); row++) {
                Rows alone = new Rows(model, List.of(prompts.get(row)));
                assertThat(alone.run(1)[0]).as("prefill of row %d", row).containsExactly(prefill[row], within(1e-3f));
                alone.append(0, argmax(prefill[row]));
                assertThat(alone.run(1)[0]).as("decode of row %d", row).containsExactly(decode[row], within(1e-3f));
            }
        }
    }

    private static void assertGenerations(String checkpoint, String data, boolean cached) {
        try (GoldenModel golden = new GoldenModel(checkpoint, data);
                IdeficsModel model = golden.load(ComputeType.FLOAT32)) {
            for (JsonNode generation : golden.facts.get("generations")) {
                List<List<Integer>> expected = new ArrayList<>();
                generation.get("new_tokens").forEach(row -> {
                    List<Integer> ids = new ArrayList<>();
                    row.forEach(id -> ids.add(id.intValue()));
                    expected.add(ids);
                });
                assertThat(generate(golden, model, generation, cached))
                        .as(generation.get("name").textValue())
                        .isEqualTo(expected);
            }
        }
    }

    /** Greedy decoding of all rows side by side, as the reference does it. */
    private static List<List<Integer>> generate(
            GoldenModel golden, IdeficsModel model, JsonNode generation, boolean cached) {
        Rows rows = new Rows(model, golden.prompts(generation.get("case").textValue()));
        List<List<Integer>> tokens = new ArrayList<>();
        boolean[] done = new boolean[rows.count()];
        for (int row = 0; row < rows.count(); row++) {
            tokens.add(new ArrayList<>());
        }
        for (int n = 0; n < generation.get("max_new_tokens").intValue(); n++) {
            float[][] logits = rows.run(1);
            for (int row = 0; row < rows.count(); row++) {
                for (JsonNode banned : generation.get("bad_words_ids")) {
                    logits[row][banned.get(0).intValue()] = Float.NEGATIVE_INFINITY;
                }
                int next = argmax(logits[row]);
                rows.append(row, next);
                if (!done[row]) {
                    tokens.get(row).add(next);
                    for (JsonNode eos : generation.get("eos_token_id")) {
                        done[row] |= eos.intValue() == next;
                    }
                }
            }
            if (allTrue(done)) {
                break;
            }
            if (!cached) {
                rows.rewind();
            }
        }
        return tokens;
    }

    private static List<Difference> logitDifferences(GoldenModel golden, IdeficsModel model, String name) {
        List<Prompt> prompts = golden.prompts(name);
        List<Difference> differences = new ArrayList<>();
        if (golden.has(name + ".logits")) {
            differences.add(difference(
                    flatten(new Rows(model, prompts).run(0)),
                    golden.floats(name + ".logits"),
                    golden.attentionMask(name)));
        }
        int[][] everyRow = new int[prompts.size()][];
        Arrays.fill(everyRow, new int[] {1});
        differences.add(
                difference(flatten(new Rows(model, prompts).run(1)), golden.floats(name + ".logits_last"), everyRow));
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

    /** Largest and mean absolute difference; the expected values cover padding as well, whose mask is 0. */
    private static Difference difference(float[] actual, float[] expected, int[][] mask) {
        int[] positions = Arrays.stream(mask).flatMapToInt(Arrays::stream).toArray();
        int width = expected.length / positions.length;
        assertThat(actual.length).isEqualTo(Arrays.stream(positions).sum() * width);
        double max = 0;
        double sum = 0;
        int at = 0;
        for (int p = 0; p < positions.length; p++) {
            for (int i = p * width; positions[p] == 1 && i < (p + 1) * width; i++) {
                double difference = Math.abs((double) actual[at++] - expected[i]);
                assertThat(difference).isNotNaN();
                max = Math.max(max, difference);
                sum += difference;
            }
        }
        return new Difference(max, sum / at, at);
    }

    private static float[] flatten(float[][] rows) {
        float[] flat = new float[rows.length * rows[0].length];
        for (int row = 0; row < rows.length; row++) {
            System.arraycopy(rows[row], 0, flat, row * rows[0].length, rows[0].length);
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
