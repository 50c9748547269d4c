package io.idefics.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/** The reference data on the test class path. */
public final class ReferenceData {

    /** The reference models that differ in tokenizer or options. */
    public static final List<String> MODELS =
            List.of("tiny-f32", "tiny-bf16-sharded", "tiny-80b-style", "tiny-noresampler", "tiny-bin");

    private static final ObjectMapper JSON = new ObjectMapper();

    private ReferenceData() {}

    /** The file of a resource. */
    public static Path path(String resource) {
        URL url = Objects.requireNonNull(ReferenceData.class.getResource("/" + resource), resource);
        try {
            return Path.of(url.toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The tokenizer of a reference model. */
    public static IdeficsTokenizer tokenizer(String model) {
        return IdeficsTokenizer.load(path("golden/models/" + model + "/tokenizer.json"));
    }

    /** The tokenizer of the embedded model. */
    public static IdeficsTokenizer miniTokenizer() {
        return IdeficsTokenizer.load(path("models/idefics-mini-instruct/tokenizer.json"));
    }

    /** A JSON document. */
    public static JsonNode json(String resource) {
        try {
            return JSON.readTree(path(resource).toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The documents of a file with one JSON document a line. */
    public static List<JsonNode> jsonLines(String resource) {
        try {
            return Files.readAllLines(path(resource)).stream()
                    .map(ReferenceData::parse)
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whole numbers of a JSON array. */
    public static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size())
                .map(i -> array.get(i).intValue())
                .toArray();
    }

    /** Rows of whole numbers. */
    public static int[][] rows(JsonNode array) {
        return IntStream.range(0, array.size())
                .mapToObj(i -> ints(array.get(i)))
                .toArray(int[][]::new);
    }

    private static JsonNode parse(String line) {
        try {
            return JSON.readTree(line);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
