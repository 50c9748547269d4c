package io.idefics.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/** The checkpoints and weight files that tests read, and ways to spoil copies of them. */
public final class TestModels {

    static final List<String> GOLDEN = List.of(
            "tiny-80b-style", "tiny-bf16-sharded", "tiny-bin", "tiny-bin-sharded", "tiny-f32", "tiny-noresampler");

    private static final Path RESOURCES = Path.of("src", "test", "resources");

    private TestModels() {}

    /** One of the six reference checkpoints. */
    public static Path golden(String name) {
        return RESOURCES.resolve("golden").resolve("models").resolve(name);
    }

    /** A corrupt, hostile or sound weight file. */
    public static Path weights(String name) {
        return RESOURCES.resolve("weights").resolve(name);
    }

    /** A file made for the tests of this package. */
    static Path file(String name) {
        return RESOURCES.resolve("checkpoint").resolve(name);
    }

    /** Copies the files of a checkpoint whose names begin with one of the prefixes; all of them without prefixes. */
    public static Path copy(String golden, Path target, String... prefixes) {
        try (var files = Files.list(golden(golden))) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (prefixes.length == 0 || List.of(prefixes).stream().anyMatch(name::startsWith)) {
                    Files.copy(file, target.resolve(name));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return target;
    }

    /** Rewrites a JSON file of a copied checkpoint. */
    public static void edit(Path file, Consumer<ObjectNode> change) {
        ObjectMapper mapper = new ObjectMapper();
        try {
            ObjectNode root = (ObjectNode) mapper.readTree(file.toFile());
            change.accept(root);
            mapper.writeValue(file.toFile(), root);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static JsonNode json(String text) {
        try {
            return new ObjectMapper().readTree(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The configuration of a published model, by its size: 9b, 9b-instruct, 80b or 80b-instruct. */
    public static IdeficsConfig published(String size) {
        try {
            Path file = Files.createTempFile("config", ".json");
            try {
                return IdeficsConfig.read(Files.writeString(
                        file, SyntheticCheckpoint.publishedConfig(size).toString()));
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
