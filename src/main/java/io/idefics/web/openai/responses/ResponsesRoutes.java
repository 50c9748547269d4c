package io.idefics.web.openai.responses;

import static io.idefics.web.openai.OpenAiRoutes.only;
import static org.springframework.web.reactive.function.server.RequestPredicates.methods;
import static org.springframework.web.reactive.function.server.RequestPredicates.path;

import io.idefics.web.AdmissionFilter;
import org.springframework.http.HttpMethod;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;

/** The endpoints of the Responses API; other methods on their paths are 405. */
public final class ResponsesRoutes {

    private static final String RESPONSES = "/v1/responses";
    private static final String RESPONSE = "/v1/responses/{id}";

    private ResponsesRoutes() {}

    public static RouterFunction<ServerResponse> routes(ResponsesHandler responses, AdmissionFilter admission) {
        return RouterFunctions.route()
                .route(
                        path(RESPONSES).and(methods(HttpMethod.POST)),
                        request -> admission.filter(request, responses::create))
                .route(path(RESPONSES), only(HttpMethod.POST))
                .route(
                        path(RESPONSE).and(methods(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.DELETE)),
                        responses::absent)
                .route(path(RESPONSE), only(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.DELETE))
                .build();
    }
}
