package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

class IdeficsParametersTest {

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({
        "9b, 1015, 8929679632, IDEFICS 9B",
        "9b-instruct, 1015, 8929687824, IDEFICS 9B Instruct",
        "80b, 1603, 79967843624, IDEFICS 80B",
        "80b-instruct, 1603, 79967860008, IDEFICS 80B Instruct"
    })
    void expected_publishedConfig_hasPublishedNumbersOfTensorsAndParameters(
            String size, int tensors, long parameters, String name) throws IOException {
        IdeficsConfig config = config(SyntheticCheckpoint.publishedConfig(size));

        assertThat(IdeficsParameters.expected(config)).hasSize(tensors);
        assertThat(IdeficsParameters.count(config)).isEqualTo(parameters);
        assertThat(config.architectureName()).isEqualTo(name);
        assertThat(config.recognisedAs()).isNotNull();
    }

    @ParameterizedTest
    @FieldSource("io.idefics.checkpoint.TestModels#GOLDEN")
    void expected_goldenConfig_namesExactlyTheStoredTensors(String model) throws IOException {
        IdeficsConfig config = IdeficsConfig.read(TestModels.golden(model).resolve("config.json"));
        Set<String> stored = new TreeSet<>();
        try (var files = Files.list(TestModels.golden(model))) {
            for (Path file : files.filter(path -> path.toString().matches(".*\\.(safetensors|bin)"))
                    .toList()) {
                try (WeightFile weights = WeightFile.open(file)) {
                    stored.addAll(weights.specs().keySet());
                }
            }
        }
        stored.removeIf(IdeficsParameters::isLegacyBuffer);

        assertThat(IdeficsParameters.expected(config)).containsOnlyKeys(stored);
    }

    @Test
    void expected_noAdditionalVocabulary_hasNoAdditionalTensors() throws IOException {
        ObjectNode json = SyntheticCheckpoint.publishedConfig("9b");
        json.remove("additional_vocab_size");

        assertThat(IdeficsParameters.expected(config(json)).keySet()).noneMatch(name -> name.contains("additional"));
    }

    private IdeficsConfig config(ObjectNode json) throws IOException {
        return IdeficsConfig.read(Files.writeString(directory.resolve("config.json"), json.toString()));
    }
}
