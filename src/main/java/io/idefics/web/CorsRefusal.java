package io.idefics.web;

import org.springframework.http.HttpStatus;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.cors.reactive.DefaultCorsProcessor;
import org.springframework.web.server.ResponseStatusException;

/** Spring's check of requests from other origins, which refuses with the error object in place of an empty body. */
public final class CorsRefusal extends DefaultCorsProcessor {

    @Override
    protected void rejectRequest(ServerHttpResponse response) {
        throw new ResponseStatusException(
                HttpStatus.FORBIDDEN,
                "This origin, method or header is not among those that pages of other origins may use.");
    }
}
