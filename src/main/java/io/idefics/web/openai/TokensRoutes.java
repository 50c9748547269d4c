package io.idefics.web.openai;

import static io.idefics.web.openai.OpenAiRoutes.only;
import static org.springframework.web.reactive.function.server.RequestPredicates.method;
import static org.springframework.web.reactive.function.server.RequestPredicates.path;

import io.idefics.web.AdmissionFilter;
import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.http.HttpMethod;
import org.springframework.web.reactive.function.server.HandlerFunction;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;

/** The endpoints that tell tokens; other methods on their paths are 405. */
public final class TokensRoutes {

    private TokensRoutes() {}

    public static RouterFunction<ServerResponse> routes(TokensHandler tokens, AdmissionFilter admission) {
        Map<String, HandlerFunction<ServerResponse>> handlers = new LinkedHashMap<>();
        handlers.put("/tokenize", tokens::tokenize);
        handlers.put("/detokenize", tokens::detokenize);
        handlers.put(OpenAiRoutes.CHAT + "/render", tokens::render);
        handlers.put(OpenAiRoutes.CHAT + "/input_tokens", tokens::count);
        RouterFunctions.Builder routes = RouterFunctions.route();
        handlers.forEach((path, handler) -> routes.route(
                        path(path).and(method(HttpMethod.POST)), request -> admission.filter(request, handler))
                .route(path(path), only(HttpMethod.POST)));
        return routes.build();
    }
}
