package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.idefics.service.ModelDescription;
import io.idefics.web.GenerationProperties;
import io.idefics.web.WebProperties;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * OpenAI's {@code Model}, with what other servers tell besides: {@code max_model_len} is vLLM's name for the context
 * length, {@code context_length} and the modalities are those of public catalogues of models.
 */
record ModelObject(
        String id,
        String object,
        long created,
        @JsonProperty("owned_by") String ownedBy,
        String name,
        @Nullable String description,
        String architecture,
        String variant,
        @Nullable Long parameters,
        String dtype,
        String quantization,
        @JsonProperty("max_model_len") int maxModelLen,
        @JsonProperty("context_length") int contextLength,
        @JsonProperty("input_modalities") List<String> inputModalities,
        @JsonProperty("output_modalities") List<String> outputModalities,
        @JsonProperty("max_images") int maxImages,
        @JsonProperty("max_choices") int maxChoices,
        @JsonProperty("max_top_logprobs") int maxTopLogprobs,
        @JsonProperty("max_stop_strings") int maxStopStrings,
        @JsonProperty("max_request_bytes") int maxRequestBytes,
        @Nullable License license,
        @JsonProperty("model_card") @Nullable String modelCard) {

    private static final String ARCHITECTURE = "IdeficsForVisionText2Text";

    /** The licence of the weights. */
    record License(String id, @Nullable String terms, @Nullable String url) {

        static @Nullable License of(ModelDescription.@Nullable License license) {
            return license == null ? null : new License(license.id(), license.terms(), license.url());
        }
    }

    static ModelObject of(ModelDescription model, WebProperties web, GenerationProperties generation) {
        return new ModelObject(
                model.id(),
                "model",
                model.created(),
                "idefics",
                model.name(),
                model.description(),
                ARCHITECTURE,
                model.instruct() ? "instruct" : "base",
                model.parameters(),
                model.dtype(),
                model.quantization(),
                model.contextLength(),
                model.contextLength(),
                List.of("text", "image"),
                List.of("text"),
                web.maxImages(),
                generation.maxChoices(),
                ChatRequestReader.MAX_TOP_LOGPROBS,
                ParameterReader.MAX_STOPS,
                web.maxBodyBytes(),
                License.of(model.license()),
                model.modelCard());
    }
}
