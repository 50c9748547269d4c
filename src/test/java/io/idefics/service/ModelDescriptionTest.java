package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.SyntheticCheckpoint;
import io.idefics.model.ComputeType;
import io.idefics.service.ModelDescription.License;
import io.idefics.testing.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelDescriptionTest {

    private static final Path TINY = Path.of("src/test/resources/golden/models/tiny-f32");

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({
        "9b, IDEFICS 9B, 8929679632",
        "9b-instruct, IDEFICS 9B Instruct, 8929687824",
        "80b, IDEFICS 80B, 79967843624",
        "80b-instruct, IDEFICS 80B Instruct, 79967860008"
    })
    void of_publishedModel_tellsItsCardAndLicense(String size, String name, long parameters) throws IOException {
        ModelDescription model = describe(published(size));

        String card = "https://huggingface.co/HuggingFaceM4/idefics-" + size;
        assertThat(model.name()).isEqualTo(name);
        assertThat(model.parameters()).isEqualTo(parameters);
        assertThat(model.contextLength()).isEqualTo(2048);
        assertThat(model.modelCard()).isEqualTo(card);
        License license = Objects.requireNonNull(model.license());
        assertThat(license.id()).isEqualTo("other");
        assertThat(license.url()).isEqualTo(card + "#license");
        assertThat(license.terms()).contains("non-commercial research only", "MIT");
    }

    @Test
    void of_settings_goBeforeWhatIsPublished() throws IOException {
        ModelDescription model = describe(
                published("9b-instruct"),
                "license=MIT",
                "license-url=https://example.com/mit",
                "model-card=https://example.com/card",
                "description=Ours.",
                "max-context-length=64");

        assertThat(model.license()).isEqualTo(new License("MIT", null, "https://example.com/mit"));
        assertThat(model.modelCard()).isEqualTo("https://example.com/card");
        assertThat(model.description()).isEqualTo("Ours.");
        assertThat(model.contextLength()).isEqualTo(64);
    }

    @Test
    void of_otherModel_hasNoLicense() {
        ModelDescription model = describe(IdeficsConfig.read(TINY.resolve("config.json")));

        assertThat(model.license()).isNull();
        assertThat(model.modelCard()).isNull();
        assertThat(model.description()).isNull();
        assertThat(model.name()).endsWith("M parameters)");
        assertThat(model.dtype()).isEqualTo("bfloat16");
        assertThat(model.quantization()).isEqualTo("none");
    }

    @Test
    void fingerprint_sameInputs_isTheSame() {
        IdeficsConfig config = IdeficsConfig.read(TINY.resolve("config.json"));

        assertThat(describe(config).fingerprint())
                .matches("fp_[0-9a-f]{10}")
                .isEqualTo(describe(config).fingerprint());
    }

    @Test
    void fingerprint_anythingElse_differs() {
        IdeficsConfig config = IdeficsConfig.read(TINY.resolve("config.json"));
        var properties = Settings.model(TINY);
        List<String> fingerprints = List.of(
                describe(config).fingerprint(),
                describe(config, "quantization=int8").fingerprint(),
                describe(config, "id=other").fingerprint(),
                ModelDescription.of(properties, config, true, ComputeType.FLOAT32, 7, "1.0")
                        .fingerprint(),
                ModelDescription.of(properties, config, true, ComputeType.BFLOAT16, 7, "1.1")
                        .fingerprint());

        assertThat(fingerprints).doesNotHaveDuplicates();
    }

    private static ModelDescription describe(IdeficsConfig config, String... settings) {
        return ModelDescription.of(Settings.model(TINY, settings), config, true, ComputeType.BFLOAT16, 7, "1.0");
    }

    private IdeficsConfig published(String size) throws IOException {
        Path file = directory.resolve("config.json");
        Files.writeString(file, SyntheticCheckpoint.publishedConfig(size).toString());
        return IdeficsConfig.read(file);
    }
}
