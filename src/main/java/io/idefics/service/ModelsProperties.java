package io.idefics.service;

import io.idefics.model.ComputeType;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.Pattern;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * The models to serve.
 *
 * @param models the models; without any, the built-in one is served
 */
@Validated
@ConfigurationProperties("idefics")
public record ModelsProperties(@DefaultValue @Valid List<ModelProperties> models) {

    public ModelsProperties {
        models = List.copyOf(models);
        List<String> ids = models.stream().map(ModelProperties::modelId).toList();
        if (ids.stream().distinct().count() < ids.size()) {
            throw new IllegalArgumentException("idefics.models has two models of the same id: " + ids);
        }
    }

    /**
     * A model to serve.
     *
     * @param path the directory of the checkpoint
     * @param id the name by which requests ask for it; by default the last part of the path
     * @param dtype the type in which matrices are multiplied, float32 or bfloat16; by default that of the stored weights,
     *     and float32 for weights that are stored as float16
     * @param device where it runs: cpu, or cuda:N for the GPU number N
     * @param maxContextLength the most tokens of prompt and answer together; by default what config.json says
     */
    public record ModelProperties(
            @NotBlank String path,
            @Nullable String id,
            @Nullable ComputeType dtype,
            @DefaultValue("cpu") @Pattern(regexp = "cpu|cuda:\\d{1,3}", message = "must be cpu or cuda:N, as in cuda:0")
                    String device,
            @Nullable @Min(8) Integer maxContextLength) {

        /** The name by which requests ask for the model. */
        public String modelId() {
            return id != null && !id.isBlank()
                    ? id
                    : Path.of(path).toAbsolutePath().normalize().getFileName().toString();
        }
    }
}
