package io.idefics.service;

import io.idefics.model.ComputeType;
import io.idefics.model.Quantization;
import io.idefics.model.WeightLayout;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.NotEmpty;
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
     * A model to serve. Of device, devices and replicas at most one is given.
     *
     * @param path the directory of the checkpoint
     * @param id the name by which requests ask for it; by default the last part of the path
     * @param dtype the type in which matrices are multiplied, float32 or bfloat16; by default that of the stored weights,
     *     and float32 for weights that are stored as float16
     * @param device where it runs: cpu, or cuda:N for the GPU number N; by default cpu
     * @param devices the devices over which its layers are split
     * @param replicas for each replica its device, or the devices over which its layers are split
     * @param quantization in how many bits matrices are kept: none, int8 or int4
     * @param quantizedCache whether quantised matrices are kept beside the checkpoint for the next start
     * @param layout how matrices that are not quantised lie in memory, mapped or packed; by default the fastest
     * @param maxContextLength the most tokens of prompt and answer together; by default what config.json says
     * @param description what clients are told that the model is, in a sentence
     * @param license the licence of the weights, as clients are told; by default that of the published model
     * @param licenseUrl where that licence can be read
     * @param modelCard the address of the page that describes the model; by default that of the published model
     */
    public record ModelProperties(
            @NotBlank String path,
            @Nullable String id,
            @Nullable ComputeType dtype,
            @Nullable @Pattern(regexp = DEVICE, message = DEVICES_ARE) String device,
            @DefaultValue List<@Pattern(regexp = DEVICE, message = DEVICES_ARE) String> devices,
            @DefaultValue List<@NotEmpty List<@Pattern(regexp = DEVICE, message = DEVICES_ARE) String>> replicas,
            @DefaultValue("none") Quantization quantization,
            @DefaultValue("false") boolean quantizedCache,
            @Nullable WeightLayout layout,
            @Nullable @Min(8) Integer maxContextLength,
            @Nullable String description,
            @Nullable String license,
            @Nullable @Pattern(regexp = ADDRESS, message = ADDRESS_IS) String licenseUrl,
            @Nullable @Pattern(regexp = ADDRESS, message = ADDRESS_IS) String modelCard) {

        private static final String DEVICE = "cpu|cuda:\\d{1,3}";
        private static final String DEVICES_ARE = "must be cpu or cuda:N, as in cuda:0";
        private static final String ADDRESS = "https?://\\S+";
        private static final String ADDRESS_IS = "must be an http or https URL";

        public ModelProperties {
            devices = List.copyOf(devices);
            replicas = replicas.stream().map(List::copyOf).toList();
            int given = (device == null ? 0 : 1) + (devices.isEmpty() ? 0 : 1) + (replicas.isEmpty() ? 0 : 1);
            if (given > 1) {
                throw new IllegalArgumentException("The model in " + path
                        + " has more than one of device, devices and replicas; give the one that says it all");
            }
            if (licenseUrl != null && license == null) {
                throw new IllegalArgumentException("The model in " + path + " has a license-url but no license");
            }
        }

        /** A model on the CPU. */
        public static ModelProperties onCpu(String path, String id, ComputeType dtype) {
            return new ModelProperties(
                    path,
                    id,
                    dtype,
                    null,
                    List.of(),
                    List.of(),
                    Quantization.NONE,
                    false,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null);
        }

        /** The same model, of which clients are told more. */
        public ModelProperties described(String newDescription, String newLicense, String newLicenseUrl) {
            return new ModelProperties(
                    path,
                    id,
                    dtype,
                    device,
                    devices,
                    replicas,
                    quantization,
                    quantizedCache,
                    layout,
                    maxContextLength,
                    newDescription,
                    newLicense,
                    newLicenseUrl,
                    modelCard);
        }

        /** The name by which requests ask for the model. */
        public String modelId() {
            return id != null && !id.isBlank()
                    ? id
                    : Path.of(path).toAbsolutePath().normalize().getFileName().toString();
        }

        /** For each replica its devices. */
        public List<List<String>> placements() {
            if (!replicas.isEmpty()) {
                return replicas;
            }
            return List.of(devices.isEmpty() ? List.of(device == null ? "cpu" : device) : devices);
        }
    }
}
