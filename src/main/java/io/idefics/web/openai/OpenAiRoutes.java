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
    private static final String TEXT = "/v1/completions";
    private static final String CLASSIFY = "/v1/classify";
    private static final String MODELS = "/v1/models";
    private static final String MODEL = "/v1/models/{*id}";

    private OpenAiRoutes() {}

    public static RouterFunction<ServerResponse> routes(
            ChatCompletionHandler chat,
            TextCompletionHandler text,
            ClassificationHandler classification,
            ModelsHandler models,
            AdmissionFilter admission) {
        return RouterFunctions.route()
                .route(path(CHAT).and(methods(HttpMethod.POST)), admitted(admission, chat::complete))
                .route(path(CHAT), only(HttpMethod.POST))
                .route(path(TEXT).and(methods(HttpMethod.POST)), admitted(admission, text::complete))
                .route(path(TEXT), only(HttpMethod.POST))
                .route(path(CLASSIFY).and(methods(HttpMethod.POST)), admitted(admission, classification::classify))
                .route(path(CLASSIFY), only(HttpMethod.POST))
                .route(path(MODELS).and(methods(HttpMethod.GET, HttpMethod.HEAD)), models::list)
                .route(path(MODELS), only(HttpMethod.GET, HttpMethod.HEAD))
                .route(path(MODEL).and(methods(HttpMethod.GET, HttpMethod.HEAD)), models::get)
                .route(path(MODEL), only(HttpMethod.GET, HttpMethod.HEAD))
                .build();
    }

    private static HandlerFunction<ServerResponse> admitted(
            AdmissionFilter admission, HandlerFunction<ServerResponse> handler) {
        return request -> admission.filter(request, handler);
    }

    /** Refuses the methods that a path does not have. */
    public static HandlerFunction<ServerResponse> only(HttpMethod... allowed) {
        return request -> Mono.error(new MethodNotAllowedException(request.method(), Set.of(allowed)));
    }
}
