package io.idefics.web;

import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpHeaders;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import reactor.core.publisher.Mono;

/**
 * Puts {@link SecurityHeaders} on every answer, before any other filter can give one. Caches keep none but files of the
 * description of the API, and browsers stay with https where the client came by it.
 */
@Order(Ordered.HIGHEST_PRECEDENCE)
public final class SecurityHeadersFilter implements WebFilter {

    private static final String FILES = "/swagger-ui/";

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        HttpHeaders headers = exchange.getResponse().getHeaders();
        SecurityHeaders.fixed().forEach(headers::set);
        if ("https".equalsIgnoreCase(exchange.getRequest().getURI().getScheme())) {
            headers.set("Strict-Transport-Security", SecurityHeaders.STRICT_TRANSPORT);
        }
        boolean isFile = exchange.getRequest().getPath().value().startsWith(FILES);
        exchange.getResponse().beforeCommit(() -> {
            headers.set(
                    SecurityHeaders.CONTENT_POLICY,
                    SecurityHeaders.contentPolicy(headers.getFirst(HttpHeaders.CONTENT_TYPE)));
            if (headers.getCacheControl() == null && !isFile) {
                headers.setCacheControl("no-store");
            }
            return Mono.empty();
        });
        return chain.filter(exchange);
    }
}
