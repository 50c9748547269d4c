package io.idefics.web.anthropic;

import static io.idefics.web.openai.OpenAiRoutes.only;
import static org.springframework.web.reactive.function.server.RequestPredicates.methods;
import static org.springframework.web.reactive.function.server.RequestPredicates.path;

import io.idefics.web.AdmissionFilter;
import io.idefics.web.DialectFilter;
import io.idefics.web.LimitHeaders;
import io.idefics.web.Replies;
import java.util.List;
import org.springframework.http.HttpMethod;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.ServerWebExchange;

/** The endpoints of the Messages API, errors in its shape; other methods on their paths are 405. */
public final class MessagesRoutes {

    private static final String MESSAGES = "/v1/messages";
    private static final String COUNT = "/v1/messages/count_tokens";

    /** Where errors have Anthropic's shape. */
    public static final DialectFilter.Rule DIALECT =
            DialectFilter.Rule.of(List.of(MESSAGES, COUNT), MessagesRoutes::mark);

    private MessagesRoutes() {}

    public static RouterFunction<ServerResponse> routes(MessagesHandler messages, AdmissionFilter admission) {
        return RouterFunctions.route()
                .route(
                        path(MESSAGES).and(methods(HttpMethod.POST)),
                        request -> admission.filter(request, messages::create))
                .route(path(COUNT).and(methods(HttpMethod.POST)), request -> admission.filter(request, messages::count))
                .route(path(MESSAGES).or(path(COUNT)), only(HttpMethod.POST))
                .build();
    }

    /** Anthropic's clients know a request and their limits by headers of other names. */
    private static void mark(ServerWebExchange exchange) {
        String id = Replies.requestId(exchange);
        new AnthropicErrors(id).mark(exchange);
        LimitHeaders.alsoAnthropic(exchange);
        exchange.getResponse().getHeaders().set("request-id", id);
    }
}
