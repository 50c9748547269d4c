package io.idefics.web;

import static org.springframework.web.reactive.function.server.RequestPredicates.methods;
import static org.springframework.web.reactive.function.server.RequestPredicates.path;

import java.net.URI;
import org.springframework.http.HttpMethod;
import org.springframework.http.InvalidMediaTypeException;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.ServerWebExchange;

/** The root, which leads browsers to the description of the API. */
public final class RootPage {

    private static final String ROOT = "/";

    private RootPage() {}

    public static RouterFunction<ServerResponse> route() {
        return RouterFunctions.route()
                .route(
                        path(ROOT)
                                .and(methods(HttpMethod.GET, HttpMethod.HEAD))
                                .and(request -> wantsPage(request.exchange())),
                        request -> ServerResponse.temporaryRedirect(URI.create("swagger-ui.html"))
                                .build())
                .build();
    }

    /** Whether a GET or HEAD request asks for the page. */
    static boolean isAsked(ServerWebExchange exchange) {
        return exchange.getRequest().getPath().pathWithinApplication().value().equals(ROOT) && wantsPage(exchange);
    }

    private static boolean wantsPage(ServerWebExchange exchange) {
        try {
            return exchange.getRequest().getHeaders().getAccept().stream()
                    .anyMatch(MediaType.TEXT_HTML::equalsTypeAndSubtype);
        } catch (InvalidMediaTypeException e) {
            return false;
        }
    }
}
