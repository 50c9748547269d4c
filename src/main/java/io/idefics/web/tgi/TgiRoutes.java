package io.idefics.web.tgi;

import static io.idefics.web.openai.OpenAiRoutes.only;
import static org.springframework.web.reactive.function.server.RequestPredicates.methods;
import static org.springframework.web.reactive.function.server.RequestPredicates.path;

import io.idefics.web.AdmissionFilter;
import org.springframework.http.HttpMethod;
import org.springframework.web.reactive.function.server.HandlerFunction;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;

/** The endpoints of text-generation-inference, errors in its shape; other methods on their paths are 405. */
public final class TgiRoutes {

    private TgiRoutes() {}

    public static RouterFunction<ServerResponse> routes(
            GenerateHandler generate, TgiTokenizeHandler tokenize, InfoHandler info, AdmissionFilter admission) {
        RouterFunctions.Builder routes = RouterFunctions.route();
        post(routes, "/generate", admitted(admission, generate::generate));
        post(routes, "/generate_stream", admitted(admission, generate::generateStream));
        post(routes, "/chat_tokenize", admitted(admission, tokenize::chatTokenize));
        get(routes, "/info", info::info);
        get(routes, "/health", info::health);
        return routes.route(path("/").and(methods(HttpMethod.POST)), admitted(admission, generate::either))
                .route(path("/").and(methods(HttpMethod.GET, HttpMethod.HEAD)), info::health)
                .route(path("/"), only(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST))
                .filter(TgiErrors.INSTANCE.filter())
                .build();
    }

    private static HandlerFunction<ServerResponse> admitted(
            AdmissionFilter admission, HandlerFunction<ServerResponse> handler) {
        return request -> admission.filter(request, handler);
    }

    private static void post(RouterFunctions.Builder routes, String path, HandlerFunction<ServerResponse> handler) {
        routes.route(path(path).and(methods(HttpMethod.POST)), handler).route(path(path), only(HttpMethod.POST));
    }

    private static void get(RouterFunctions.Builder routes, String path, HandlerFunction<ServerResponse> handler) {
        routes.route(path(path).and(methods(HttpMethod.GET, HttpMethod.HEAD)), handler)
                .route(path(path), only(HttpMethod.GET, HttpMethod.HEAD));
    }
}
