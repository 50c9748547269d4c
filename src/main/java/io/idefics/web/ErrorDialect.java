package io.idefics.web;

import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatusCode;
import org.springframework.web.server.ServerWebExchange;

/** How some endpoints write their errors. Those without a dialect of their own write OpenAI's. */
@FunctionalInterface
public interface ErrorDialect {

    /** OpenAI's error object. */
    ErrorDialect OPENAI = error -> new Written(error.status(), error.headers(), error.envelope());

    /** An error in this dialect. */
    Written write(ApiError error);

    /** Marks a request, so that whatever fails afterwards is told in this dialect. */
    default void mark(ServerWebExchange exchange) {
        exchange.getAttributes().put(ErrorDialect.class.getName(), this);
    }

    /** The dialect of a request. */
    static ErrorDialect of(ServerWebExchange exchange) {
        return exchange.getAttributeOrDefault(ErrorDialect.class.getName(), OPENAI);
    }

    /**
     * An error as it is sent.
     *
     * @param status the HTTP status
     * @param headers further headers
     * @param body what is written as JSON
     */
    record Written(HttpStatusCode status, HttpHeaders headers, Object body) {}
}
