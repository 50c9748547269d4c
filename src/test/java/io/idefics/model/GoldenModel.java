package io.idefics.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.checkpoint.SafetensorsFile;
import io.idefics.checkpoint.StoredTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A reference checkpoint, and what the reference implementation computed with it. */
final class GoldenModel implements AutoCloseable {

    private static final Path ROOT = Path.of("src/test/resources/golden");

    private final ModelDirectory directory;
    private final SafetensorsFile tensors;
    final JsonNode facts;

    /** @param data the name of the recorded results; checkpoints with the same weights share them */
    GoldenModel(String checkpoint, String data) {
        directory = ModelDirectory.open(ROOT.resolve("models").resolve(checkpoint));
        tensors = SafetensorsFile.open(ROOT.resolve("golden").resolve(data + ".safetensors"));
        facts = json(ROOT.resolve("golden").resolve(data + ".json"));
    }

    static JsonNode json(Path file) {
        try {
            return new ObjectMapper().readTree(Files.readString(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    IdeficsModel load(ComputeType type) {
        IdeficsModel.prepareThread();
        try (CheckpointWeights weights = directory.openWeights()) {
            return IdeficsModel.load(directory.config(), weights, type, "cpu");
        }
    }

    boolean has(String tensor) {
        return tensors.specs().containsKey(tensor);
    }

    float[] floats(String name) {
        StoredTensor tensor = tensors.tensor(name);
        float[] values = new float[tensor.data().remaining() / Float.BYTES];
        tensor.data().asFloatBuffer().get(values);
        return values;
    }

    int[][] ints(String name) {
        StoredTensor tensor = tensors.tensor(name);
        int[][] values = new int[(int) tensor.shape()[0]][(int) tensor.shape()[1]];
        var data = tensor.data().asLongBuffer();
        for (int[] row : values) {
            for (int t = 0; t < row.length; t++) {
                row[t] = (int) data.get();
            }
        }
        return values;
    }

    /** The pictures, in the order in which the cases number them. */
    List<PixelValues> images() {
        int size = facts.get("image_size").intValue();
        List<PixelValues> images = new ArrayList<>();
        for (int i = 0; i < facts.get("image_files").size(); i++) {
            images.add(new PixelValues(floats("image." + i), size));
        }
        return images;
    }

    JsonNode golden(String name) {
        for (JsonNode golden : facts.get("cases")) {
            if (golden.get("name").textValue().equals(name)) {
                return golden;
            }
        }
        throw new IllegalArgumentException(name);
    }

    /** The prompts of a case as one step. Image indices are those of {@link #images()}. */
    Step prompt(String name) {
        JsonNode golden = golden(name);
        int[][] mask = ints(name + ".attention_mask");
        int[][] positions = new int[mask.length][];
        int[][] imageIndex = new int[mask.length][];
        boolean padded = false;
        for (int row = 0; row < mask.length; row++) {
            positions[row] = new int[mask[row].length];
            imageIndex[row] = new int[mask[row].length];
            int position = 0;
            for (int t = 0; t < mask[row].length; t++) {
                positions[row][t] = mask[row][t] == 0 ? 1 : position++;
                padded |= mask[row][t] == 0;
                int slot = golden.get("image_index").get(row).get(t).intValue();
                imageIndex[row][t] =
                        slot < 0 ? -1 : golden.get("images").get(row).get(slot).intValue();
            }
        }
        return new Step(ints(name + ".input_ids"), positions, padded ? mask : null, imageIndex);
    }

    int[][] attentionMask(String name) {
        return ints(name + ".attention_mask");
    }

    @Override
    public void close() {
        tensors.close();
    }
}
