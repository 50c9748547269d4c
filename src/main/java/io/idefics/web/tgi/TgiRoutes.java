package io.idefics.web.tgi;

import static io.idefics.web.openai.OpenAiRoutes.only;
import static org.springframework.web.reactive.function.server.RequestPredicates.methods;
import static org.springframework.web.reactive.function.server.RequestPredicates.path;

import io.idefics.web.AdmissionFilter;
import io.idefics.web.DialectFilter;
import java.util.List;
import org.springframework.http.HttpMethod;
import org.springframework.web.reactive.function.server.HandlerFunction;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;

/** The endpoints of text-generation-inference, errors in its shape; other methods on their paths are 405. */
public final class TgiRoutes {

    private static final String GENERATE = "/generate";
    private static final String GENERATE_STREAM = "/generate_stream";
    private static final String CHAT_TOKENIZE = "/chat_tokenize";
    private static final String INFO = "/info";
    private static final String HEALTH = "/health";
    private static final String ROOT = "/";

    /** Where errors have the shape of text-generation-inference. */
    public static final DialectFilter.Rule DIALECT = DialectFilter.Rule.of(
            List.of(GENERATE, GENERATE_STREAM, CHAT_TOKENIZE, INFO, HEALTH, ROOT), TgiErrors.INSTANCE::mark);

    private TgiRoutes() {}

    public static RouterFunction<ServerResponse> routes(
            GenerateHandler generate, TgiTokenizeHandler tokenize, InfoHandler info, AdmissionFilter admission) {
        RouterFunctions.Builder routes = RouterFunctions.route();
        post(routes, GENERATE, admitted(admission, generate::generate));
        post(routes, GENERATE_STREAM, admitted(admission, generate::generateStream));
        post(routes, CHAT_TOKENIZE, admitted(admission, tokenize::chatTokenize));
        get(routes, INFO, info::info);
        get(routes, HEALTH, info::health);
        return routes.route(path(ROOT).and(methods(HttpMethod.POST)), admitted(admission, generate::either))
                .route(path(ROOT).and(methods(HttpMethod.GET, HttpMethod.HEAD)), info::health)
                .route(path(ROOT), only(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST))
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
