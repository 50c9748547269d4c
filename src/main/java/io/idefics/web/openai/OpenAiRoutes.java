package io.idefics.web.openai;

import static org.springframework.web.reactive.function.server.RequestPredicates.methods;
import static org.springframework.web.reactive.function.server.RequestPredicates.path;

import io.idefics.web.AdmissionFilter;
import java.util.Set;
import org.springframework.http.HttpMethod;
import org.springframework.web.reactive.function.server.HandlerFunction;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.MethodNotAllowedException;
import reactor.core.publisher.Mono;

/** The OpenAI-style endpoints; other methods on their paths are 405. */
public final class OpenAiRoutes {

    static final String CHAT = "/v1/chat/completions";
    private static final String MODELS = "/v1/models";
    private static final String MODEL = "/v1/models/{*id}";

    private OpenAiRoutes() {}

    public static RouterFunction<ServerResponse> routes(
            ChatCompletionHandler chat, ModelsHandler models, AdmissionFilter admission) {
        HandlerFunction<ServerResponse> admitted = request -> admission.filter(request, chat::complete);
        return RouterFunctions.route()
                .route(path(CHAT).and(methods(HttpMethod.POST)), admitted)
                .route(path(CHAT), only(HttpMethod.POST))
                .route(path(MODELS).and(methods(HttpMethod.GET, HttpMethod.HEAD)), models::list)
                .route(path(MODELS), only(HttpMethod.GET, HttpMethod.HEAD))
                .route(path(MODEL).and(methods(HttpMethod.GET, HttpMethod.HEAD)), models::get)
                .route(path(MODEL), only(HttpMethod.GET, HttpMethod.HEAD))
                .build();
    }

    /** Refuses the methods that a path does not have. */
    static HandlerFunction<ServerResponse> only(HttpMethod... allowed) {
        return request -> Mono.error(new MethodNotAllowedException(request.method(), Set.of(allowed)));
    }
}
