package io.idefics.web.tgi;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.idefics.service.CompletionService;
import io.idefics.service.ModelDescription;
import io.idefics.web.Replies;
import io.idefics.web.WireJson;
import io.idefics.web.openai.ParameterReader;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.http.CacheControl;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Mono;

/** Answers {@code GET /info} and {@code GET /health}. */
public final class InfoHandler {

    private final CompletionService service;
    private final Replies replies;
    private final WireJson json;
    private final Limits limits;

    /**
     * What the server tells of itself.
     *
     * @param version its version
     * @param maxConcurrentRequests how many requests are let in at the same time
     * @param maxBestOf the most sequences that are generated for one request
     * @param maxPrompts the most prompts of one request, where it may have several
     * @param workers how many prompts are prepared at the same time
     */
    public record Limits(
            @Nullable String version, int maxConcurrentRequests, int maxBestOf, int maxPrompts, int workers) {}

    public InfoHandler(CompletionService service, Replies replies, WireJson json, Limits limits) {
        this.service = service;
        this.replies = replies;
        this.json = json;
        this.limits = limits;
    }

    /** What is served: the first of the models that are ready. */
    Mono<ServerResponse> info(ServerRequest request) {
        List<ModelDescription> models = service.models();
        return models.isEmpty() ? unhealthy() : replies.json(Info.of(models.get(0), limits));
    }

    /** Nothing where a model is ready to answer. */
    Mono<ServerResponse> health(ServerRequest request) {
        return service.models().isEmpty()
                ? unhealthy()
                : ServerResponse.ok().cacheControl(CacheControl.noStore()).build();
    }

    private Mono<ServerResponse> unhealthy() {
        return ServerResponse.status(HttpStatus.SERVICE_UNAVAILABLE)
                .contentType(MediaType.APPLICATION_JSON)
                .cacheControl(CacheControl.noStore())
                .bodyValue(json.write(TgiErrors.unhealthy("No model is ready to answer.")));
    }

    private record Info(
            @JsonProperty("model_id") String modelId,
            @JsonProperty("model_sha") @Nullable String modelSha,
            @JsonProperty("model_dtype") @Nullable String modelDtype,
            @JsonProperty("model_device_type") @Nullable String modelDeviceType,
            @JsonProperty("model_pipeline_tag") String modelPipelineTag,
            @JsonProperty("max_concurrent_requests") int maxConcurrentRequests,
            @JsonProperty("max_best_of") int maxBestOf,
            @JsonProperty("max_stop_sequences") int maxStopSequences,
            @JsonProperty("max_input_tokens") int maxInputTokens,
            @JsonProperty("max_total_tokens") int maxTotalTokens,
            @JsonProperty("validation_workers") int validationWorkers,
            @JsonProperty("max_client_batch_size") int maxClientBatchSize,
            String router,
            @Nullable String version,
            @Nullable String sha,
            @JsonProperty("docker_label") @Nullable String dockerLabel) {

        static Info of(ModelDescription model, Limits limits) {
            return new Info(
                    model.id(),
                    null,
                    model.dtype(),
                    null,
                    "image-text-to-text",
                    limits.maxConcurrentRequests(),
                    limits.maxBestOf(),
                    ParameterReader.MAX_STOPS,
                    model.contextLength() - 1,
                    model.contextLength(),
                    limits.workers(),
                    limits.maxPrompts(),
                    "idefics-server",
                    limits.version(),
                    null,
                    null);
        }
    }
}
