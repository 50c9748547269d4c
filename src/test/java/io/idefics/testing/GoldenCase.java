package io.idefics.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.checkpoint.StoredTensor;
import io.idefics.checkpoint.TestModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

/**
 * Prompts of which the reference implementation recorded what it computed with one of its checkpoints.
 *
 * @param data the name of the recorded results; checkpoints with the same weights share them
 * @param fact the case as it is recorded
 */
public record GoldenCase(String data, JsonNode fact) {

    private static final Path ROOT = Path.of("src/test/resources/golden");
    private static final ObjectMapper JSON = new ObjectMapper();

    /** How far logits may be from those of the reference, the largest and the mean difference. */
    public record Tolerance(double max, double mean) {}

    /** All cases of some results. */
    public static List<GoldenCase> all(String data) {
        return StreamSupport.stream(facts(data).get("cases").spliterator(), false)
                .map(fact -> new GoldenCase(data, fact))
                .toList();
    }

    /** What the results say of logits. */
    public static Tolerance tolerance(String data) {
        JsonNode logits = facts(data).at("/tolerances/logits");
        return new Tolerance(
                logits.get("max_abs").doubleValue(), logits.get("mean_abs").doubleValue());
    }

    public String name() {
        return fact.get("name").textValue();
    }

    public boolean addEndOfUtteranceToken() {
        return fact.get("add_end_of_utterance_token").booleanValue();
    }

    /** The prompts as parts of content. */
    public ArrayNode prompts() {
        return parts(fact.get("prompts"));
    }

    /** Recorded prompts as parts of content, pictures as data URLs. */
    public static ArrayNode parts(JsonNode recorded) {
        ArrayNode prompts = JsonNodeFactory.instance.arrayNode();
        for (JsonNode items : recorded) {
            ArrayNode prompt = prompts.addArray();
            for (JsonNode item : items) {
                ObjectNode part = prompt.addObject();
                if (item.has("text")) {
                    part.put("type", "text").put("text", item.get("text").textValue());
                } else {
                    part.put("type", "image_url")
                            .putObject("image_url")
                            .put("url", dataUrl(item.get("image").textValue()));
                }
            }
        }
        return prompts;
    }

    /** The ids of one of the prompts, without padding. */
    public int[] ids(int prompt) {
        return places(prompt)
                .map(t -> fact.get("input_ids").get(prompt).get(t).intValue())
                .toArray();
    }

    /** The logits of the reference after each token of each prompt, without padding, (prompts, T, V). */
    public List<float[][]> logits() {
        SafetensorsReader tensors = SafetensorsReader.ofResource("golden/golden/" + data + ".safetensors");
        JsonNode recorded = fact.get("tensors");
        boolean isWhole = StreamSupport.stream(recorded.spliterator(), false)
                .anyMatch(tensor -> tensor.textValue().equals(name() + ".logits"));
        String tensor = name() + (isWhole ? ".logits" : ".final");
        long[] shape = tensors.shape(tensor);
        float[] values = tensors.floats(tensor);
        float[][] head = isWhole ? new float[0][] : head();
        List<float[][]> logits = new ArrayList<>();
        for (int prompt = 0; prompt < shape[0]; prompt++) {
            int start = prompt * (int) shape[1];
            logits.add(places(prompt)
                    .mapToObj(t -> row(values, start + t, (int) shape[2]))
                    .map(row -> isWhole ? row : product(head, row))
                    .toArray(float[][]::new));
        }
        return logits;
    }

    private IntStream places(int prompt) {
        JsonNode mask = fact.get("attention_mask").get(prompt);
        return IntStream.range(0, mask.size()).filter(t -> mask.get(t).intValue() == 1);
    }

    /** The weights that turn the last hidden states into logits, (V, E). */
    private float[][] head() {
        try (CheckpointWeights weights =
                ModelDirectory.open(TestModels.golden(data)).openWeights()) {
            List<float[]> rows = new ArrayList<>();
            for (String name : List.of("lm_head.weight", "lm_head.additional_fc.weight")) {
                StoredTensor tensor = weights.tensor(name);
                float[] values = floats(tensor);
                int width = (int) tensor.shape()[1];
                IntStream.range(0, (int) tensor.shape()[0]).forEach(row -> rows.add(row(values, row, width)));
            }
            return rows.toArray(float[][]::new);
        }
    }

    private static float[] floats(StoredTensor tensor) {
        var data = tensor.data();
        return switch (tensor.type()) {
            case F32 -> {
                float[] values = new float[data.remaining() / Float.BYTES];
                data.asFloatBuffer().get(values);
                yield values;
            }
            case BF16 -> {
                float[] values = new float[data.remaining() / Short.BYTES];
                for (int i = 0; i < values.length; i++) {
                    values[i] = Float.intBitsToFloat(data.getShort(data.position() + 2 * i) << 16);
                }
                yield values;
            }
            default -> {
                float[] values = new float[data.remaining() / Short.BYTES];
                for (int i = 0; i < values.length; i++) {
                    values[i] = half(data.getShort(data.position() + 2 * i));
                }
                yield values;
            }
        };
    }

    /** An IEEE 754 half. */
    private static float half(short bits) {
        int exponent = bits >> 10 & 31;
        int fraction = bits & 1023;
        double magnitude = exponent == 0 ? fraction * Math.pow(2, -24) : (1024 + fraction) * Math.pow(2, exponent - 25);
        return (float) (bits < 0 ? -magnitude : magnitude);
    }

    private static float[] row(float[] values, int row, int width) {
        return Arrays.copyOfRange(values, row * width, (row + 1) * width);
    }

    private static float[] product(float[][] matrix, float[] vector) {
        float[] product = new float[matrix.length];
        for (int i = 0; i < matrix.length; i++) {
            double sum = 0;
            for (int k = 0; k < vector.length; k++) {
                sum += (double) matrix[i][k] * vector[k];
            }
            product[i] = (float) sum;
        }
        return product;
    }

    private static String dataUrl(String image) {
        try {
            return MiniEvaluation.dataUrl(Files.readAllBytes(ROOT.resolve(image)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static JsonNode facts(String data) {
        try {
            return JSON.readTree(Files.readString(ROOT.resolve("golden").resolve(data + ".json")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
