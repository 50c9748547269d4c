package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every corrupt or hostile weight file gets the verdict that is written down for it. */
class WeightFaultsTest {

    private static final Pattern ABOUT_A_TENSOR =
            Pattern.compile("(dtype|offset|shape|tensor-(size|key))-.*|data-short\\.safetensors");

    private static final List<Path> CANARIES = List.of(
            Path.of(System.getProperty("java.io.tmpdir"), "sec-pickle-canary"),
            Path.of(System.getProperty("java.io.tmpdir"), "sec-zip-canary"));

    @TempDir
    Path directory;

    static List<Arguments> cases() throws IOException {
        List<Arguments> cases = new ArrayList<>();
        JsonNode manifest =
                new ObjectMapper().readTree(TestModels.weights("manifest.json").toFile());
        for (JsonNode entry : manifest.get("files")) {
            cases.add(Arguments.of(
                    entry.get("file").asText(),
                    entry.get("expect").asText(),
                    entry.get("why").asText()));
        }
        return cases;
    }

    @Test
    void cases_wholeManifest_arePresent() throws IOException {
        assertThat(cases()).hasSize(103);
    }

    @ParameterizedTest(name = "{0}: {1}, {2}")
    @MethodSource("cases")
    void open_fileOfManifest_hasItsVerdict(String name, String expected, String why) throws IOException {
        Path file = name.endsWith(".json") ? asIndex(name) : TestModels.weights(name);

        Throwable thrown = catchThrowable(() -> readAll(file));

        if (expected.equals("loads")) {
            assertThat(thrown).as(why).isNull();
        } else if (expected.equals("error") || thrown != null) {
            assertThat(thrown)
                    .as(why)
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageContaining(file.getFileName().toString())
                    .message()
                    .hasSizeLessThan(1000);
        }
        if (thrown != null && ABOUT_A_TENSOR.matcher(name).matches()) {
            assertThat(thrown).as(why).hasMessageContaining("tensor \"");
        }
    }

    @AfterEach
    void noCodeOfTheFileHasRun() {
        assertThat(CANARIES).allSatisfy(canary -> assertThat(canary).doesNotExist());
    }

    private Path asIndex(String name) throws IOException {
        Files.copy(TestModels.weights("ok.safetensors"), directory.resolve("ok.safetensors"));
        return Files.copy(TestModels.weights(name), directory.resolve("model.safetensors.index.json"));
    }

    private static void readAll(Path file) {
        if (file.toString().endsWith(".json")) {
            ShardIndex.read(file).shards().forEach(WeightFaultsTest::readAll);
            return;
        }
        try (WeightFile weights = WeightFile.open(file)) {
            weights.specs().keySet().forEach(weights::tensor);
        }
    }
}
