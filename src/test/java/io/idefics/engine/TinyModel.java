package io.idefics.engine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ComputeType;
import io.idefics.model.IdeficsModel;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.testing.SafetensorsReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** The reference checkpoint tiny-f32 and its recorded prompts and answers, as the engine takes them. */
final class TinyModel {

    private static final Path GOLDEN = Path.of("src/test/resources/golden");
    private static final JsonNode FACTS = facts();
    private static final SafetensorsReader TENSORS = SafetensorsReader.ofResource("golden/golden/tiny-f32.safetensors");

    private TinyModel() {}

    /** A recorded answer to one prompt without padding. */
    record Golden(String name, SequenceRequest request, List<Integer> tokens) {

        @Override
        public String toString() {
            return name;
        }
    }

    static EngineSettings settings(int maxBatch, int maxWaiting, int chunkTokens) {
        Duration patience = Duration.ofSeconds(20);
        return new EngineSettings(maxBatch, maxWaiting, 16, chunkTokens, 4, 1, null, patience, patience, patience);
    }

    /** The model with room for 2048 tokens and 8 pictures. */
    static LoadedModel load() {
        return new LoadedModel(model(), new CacheSize(128, 8, 16));
    }

    static IdeficsModel model() {
        IdeficsModel.prepareThread();
        ModelDirectory directory = ModelDirectory.open(GOLDEN.resolve("models/tiny-f32"));
        try (CheckpointWeights weights = directory.openWeights()) {
            return IdeficsModel.load(directory.config(), weights, ComputeType.FLOAT32, "cpu");
        }
    }

    /** The recorded answers, all but those of batches. */
    static List<Golden> goldens() {
        return StreamSupport.stream(FACTS.get("generations").spliterator(), false)
                .filter(generation -> generation.get("new_tokens").size() == 1)
                .map(TinyModel::golden)
                .toList();
    }

    /** The first of them. */
    static Golden golden() {
        return goldens().get(0);
    }

    private static Golden golden(JsonNode generation) {
        ModelInput input = input(generation.get("case").textValue());
        Set<Integer> stopIds = new HashSet<>();
        generation.get("eos_token_id").forEach(id -> stopIds.add(id.intValue()));
        int[] banned = StreamSupport.stream(generation.get("bad_words_ids").spliterator(), false)
                .mapToInt(word -> word.get(0).intValue())
                .toArray();
        return new Golden(
                generation.get("name").textValue(),
                new SequenceRequest(
                        input,
                        SamplingParams.GREEDY,
                        generation.get("max_new_tokens").intValue(),
                        stopIds,
                        banned),
                ints(generation.get("new_tokens").get(0)).boxed().toList());
    }

    private static ModelInput input(String name) {
        JsonNode golden = StreamSupport.stream(FACTS.get("cases").spliterator(), false)
                .filter(c -> c.get("name").textValue().equals(name))
                .findFirst()
                .orElseThrow();
        int size = FACTS.get("image_size").intValue();
        List<PixelValues> images = new ArrayList<>();
        ints(golden.get("images").get(0))
                .filter(image -> image >= 0)
                .forEach(image -> images.add(new PixelValues(TENSORS.floats("image." + image), size)));
        return new ModelInput(
                ints(golden.get("input_ids").get(0)).toArray(),
                ints(golden.get("image_index").get(0)).toArray(),
                images);
    }

    private static IntStream ints(JsonNode array) {
        Stream<JsonNode> elements = StreamSupport.stream(array.spliterator(), false);
        return elements.mapToInt(JsonNode::intValue);
    }

    private static JsonNode facts() {
        try {
            return new ObjectMapper()
                    .readTree(GOLDEN.resolve("golden/tiny-f32.json").toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
