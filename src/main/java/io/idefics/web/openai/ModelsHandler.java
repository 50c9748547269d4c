package io.idefics.web.openai;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.service.CompletionService;
import io.idefics.service.ModelDescription;
import io.idefics.web.GenerationProperties;
import io.idefics.web.JsonField;
import io.idefics.web.WebProperties;
import io.idefics.web.WireJson;
import java.util.List;
import org.springframework.http.CacheControl;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Mono;

/** Answers {@code GET /v1/models} and {@code GET /v1/models/{id}}. */
public final class ModelsHandler {

    private final CompletionService service;
    private final WireJson json;
    private final WebProperties web;
    private final GenerationProperties generation;

    public ModelsHandler(CompletionService service, WireJson json, WebProperties web, GenerationProperties generation) {
        this.service = service;
        this.json = json;
        this.web = web;
        this.generation = generation;
    }

    public Mono<ServerResponse> list(ServerRequest request) {
        List<ModelObject> models = service.models().stream().map(this::object).toList();
        return ok(new ModelList("list", models));
    }

    /** Handles a request for one model, whose id may hold slashes, percent-encoded or not. */
    public Mono<ServerResponse> get(ServerRequest request) {
        String id = request.pathVariable("id").substring(1);
        return Mono.defer(
                () -> service.model(id).map(model -> ok(object(model))).orElseGet(() -> Mono.error(notFound(id))));
    }

    private ModelObject object(ModelDescription model) {
        return ModelObject.of(model, web, generation);
    }

    private Mono<ServerResponse> ok(Object body) {
        return ServerResponse.ok()
                .contentType(MediaType.APPLICATION_JSON)
                .cacheControl(CacheControl.noStore())
                .bodyValue(json.write(body));
    }

    private static GenerationException notFound(String id) {
        return new GenerationException(
                ErrorType.MODEL_NOT_FOUND, "The model '" + JsonField.shorten(id) + "' does not exist.", "model");
    }

    /** OpenAI's {@code ListModelsResponse}. */
    private record ModelList(String object, List<ModelObject> data) {}
}
