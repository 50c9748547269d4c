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
import java.util.stream.IntStream;

/** A reference checkpoint, and what the reference implementation computed with it. */
final class GoldenModel implements AutoCloseable {

    static final int TOKEN_SLOTS = 4096;

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
        return load(LoadOptions.of(type, "cpu"));
    }

    /** The model with room for {@value #TOKEN_SLOTS} tokens, and with all pictures in the image slots of their numbers. */
    IdeficsModel load(LoadOptions options) {
        IdeficsModel.prepareThread();
        try (CheckpointWeights weights = directory.openWeights()) {
            IdeficsModel model = IdeficsModel.load(directory.config(), weights, options);
            List<PixelValues> images = images();
            int[] slots = IntStream.range(0, images.size()).toArray();
            model.allocate(TOKEN_SLOTS, images.size(), images.size());
            model.beginEncoding(images);
            while (!model.advanceEncoding(2)) {
                // the next layers
            }
            model.endEncoding(slots);
            model.projectImages(slots, slots);
            return model;
        }
    }

    int layers() {
        return directory.config().numHiddenLayers();
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

    /** A prompt without its padding; image indices are those of {@link #images()}. */
    record Prompt(int[] inputIds, int[] imageIndex) {}

    /** The prompts of a case. */
    List<Prompt> prompts(String name) {
        JsonNode golden = golden(name);
        int[][] ids = ints(name + ".input_ids");
        int[][] mask = attentionMask(name);
        List<Prompt> prompts = new ArrayList<>();
        for (int row = 0; row < ids.length; row++) {
            IntStream.Builder inputIds = IntStream.builder();
            IntStream.Builder imageIndex = IntStream.builder();
            for (int t = 0; t < ids[row].length; t++) {
                if (mask[row][t] == 1) {
                    int slot = golden.get("image_index").get(row).get(t).intValue();
                    inputIds.add(ids[row][t]);
                    imageIndex.add(
                            slot < 0
                                    ? -1
                                    : golden.get("images").get(row).get(slot).intValue());
                }
            }
            prompts.add(
                    new Prompt(inputIds.build().toArray(), imageIndex.build().toArray()));
        }
        return prompts;
    }

    int[][] attentionMask(String name) {
        return ints(name + ".attention_mask");
    }

    @Override
    public void close() {
        tensors.close();
    }
}
