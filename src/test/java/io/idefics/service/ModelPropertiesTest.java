package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.model.Quantization;
import io.idefics.model.WeightLayout;
import io.idefics.service.ModelsProperties.ModelProperties;
import io.idefics.testing.Settings;
import jakarta.validation.Validation;
import jakarta.validation.Validator;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelPropertiesTest {

    private static final Path PATH = Path.of("models", "org", "tiny");
    private static final Validator VALIDATOR =
            Validation.buildDefaultValidatorFactory().getValidator();

    @Test
    void defaults_areOneReplicaOnTheCpu() {
        ModelProperties model = Settings.model(PATH);

        assertThat(model.placements()).containsExactly(List.of("cpu"));
        assertThat(model.modelId()).isEqualTo("tiny");
        assertThat(model.quantization()).isEqualTo(Quantization.NONE);
        assertThat(model.layout()).isNull();
        assertThat(model.quantizedCache()).isFalse();
    }

    @Test
    void device_given_isTheOnlyReplica() {
        assertThat(Settings.model(PATH, "device=cuda:1").placements()).containsExactly(List.of("cuda:1"));
    }

    @Test
    void devices_given_areOneReplica() {
        assertThat(Settings.model(PATH, "devices=cuda:0,cuda:1").placements())
                .containsExactly(List.of("cuda:0", "cuda:1"));
    }

    @Test
    void replicas_ofOneDeviceEach_areThat() {
        assertThat(Settings.model(PATH, "replicas=cpu,cpu").placements())
                .containsExactly(List.of("cpu"), List.of("cpu"));
    }

    @Test
    void replicas_overSeveralDevices_inBothForms_areThoseDevices() {
        List<List<String>> expected = List.of(List.of("cuda:0", "cuda:1"), List.of("cuda:2", "cuda:3"));

        assertThat(Settings.model(PATH, "replicas[0]=cuda:0,cuda:1", "replicas[1]=cuda:2,cuda:3")
                        .placements())
                .isEqualTo(expected);
        assertThat(Settings.model(
                                PATH,
                                "replicas[0][0]=cuda:0",
                                "replicas[0][1]=cuda:1",
                                "replicas[1][0]=cuda:2",
                                "replicas[1][1]=cuda:3")
                        .placements())
                .isEqualTo(expected);
    }

    @Test
    void quantizationAndLayout_inLowerCase_areRead() {
        ModelProperties model = Settings.model(PATH, "quantization=int4", "layout=mapped", "quantized-cache=true");

        assertThat(model.quantization()).isEqualTo(Quantization.INT4);
        assertThat(model.layout()).isEqualTo(WeightLayout.MAPPED);
        assertThat(model.quantizedCache()).isTrue();
    }

    @Test
    void placement_saidTwice_isRefused() {
        assertThatThrownBy(() -> Settings.model(PATH, "device=cpu", "replicas=cpu,cpu"))
                .hasRootCauseMessage("The model in " + PATH
                        + " has more than one of device, devices and replicas; give the one that says it all");
    }

    @Test
    void license_given_isRead() {
        ModelProperties model = Settings.model(
                PATH, "license=MIT", "license-url=https://example.com/mit", "model-card=https://example.com/card");

        assertThat(model.license()).isEqualTo("MIT");
        assertThat(model.licenseUrl()).isEqualTo("https://example.com/mit");
        assertThat(model.modelCard()).isEqualTo("https://example.com/card");
        assertThat(VALIDATOR.validate(model)).isEmpty();
    }

    @Test
    void licenseUrl_withoutLicense_isRefused() {
        assertThatThrownBy(() -> Settings.model(PATH, "license-url=https://example.com/mit"))
                .hasRootCauseMessage("The model in " + PATH + " has a license-url but no license");
    }

    @ParameterizedTest
    @ValueSource(strings = {"model-card=card.md", "model-card=ftp://example.com/card"})
    void address_otherThanOfTheWeb_isRefused(String setting) {
        assertThat(VALIDATOR.validate(Settings.model(PATH, setting)))
                .singleElement()
                .satisfies(fault -> assertThat(fault.getMessage()).isEqualTo("must be an http or https URL"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "device=gpu",
                "device=cuda",
                "devices=cpu,cuda:x",
                "replicas=cpu,tpu",
                "replicas[0]=cpu,cuda:1234"
            })
    void placement_unknownDevice_isRefused(String setting) {
        assertThat(VALIDATOR.validate(Settings.model(PATH, setting)))
                .singleElement()
                .satisfies(fault -> assertThat(fault.getMessage()).isEqualTo("must be cpu or cuda:N, as in cuda:0"));
    }
}
