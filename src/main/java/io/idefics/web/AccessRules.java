package io.idefics.web;

import io.idefics.admission.Scope;
import java.util.List;
import java.util.Optional;
import org.springframework.boot.web.context.WebServerApplicationContext;
import org.springframework.http.HttpMethod;
import org.springframework.http.server.PathContainer;
import org.springframework.web.cors.reactive.CorsUtils;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;

/**
 * What a request needs to be let in, by where it goes. Paths that are not named here need the scope inference, whether there
 * is anything behind them or not.
 *
 * <p>Paths are matched as the routers do it: by segments, decoded and without parameters. Otherwise {@code /%61ctuator} could
 * be one path here and another one there.
 */
public final class AccessRules {

    private static final String MANAGEMENT = "management";

    private final List<PathPattern> open;
    private final List<PathPattern> docs;
    private final List<PathPattern> admin;
    private final List<PathPattern> apiKeyHeader;
    private final boolean publicDocs;
    private final boolean managementKeys;

    /**
     * Makes rules.
     *
     * @param actuator the path of the actuator, as in {@code /actuator}
     * @param publicDocs whether the description of the API can be read without a key
     * @param managementKeys whether a management port of its own needs a key
     */
    public AccessRules(String actuator, boolean publicDocs, boolean managementKeys) {
        this.open = patterns(actuator + "/health/liveness", actuator + "/health/readiness", "/health");
        this.docs = patterns("/v3/api-docs", "/v3/api-docs/swagger-config", "/swagger-ui.html", "/swagger-ui/*");
        this.admin = patterns(actuator + "/**");
        this.apiKeyHeader = patterns("/v1/messages/**");
        this.publicDocs = publicDocs;
        this.managementKeys = managementKeys;
    }

    /**
     * Whether a request is for this port: a management port of its own has the actuator alone. Spring would route the API
     * there as well, past the keys.
     */
    boolean isServed(ServerWebExchange exchange) {
        return !isManagement(exchange) || matches(admin, exchange);
    }

    /** The scope that a request needs; empty where it needs no key. */
    Optional<Scope> needed(ServerWebExchange exchange) {
        if (CorsUtils.isPreFlightRequest(exchange.getRequest()) || isOpen(exchange)) {
            return Optional.empty();
        }
        if (isManagement(exchange)) {
            return managementKeys ? Optional.of(Scope.ADMIN) : Optional.empty();
        }
        return Optional.of(matches(admin, exchange) ? Scope.ADMIN : Scope.INFERENCE);
    }

    /** Whether a request may bring its key in {@code x-api-key}, as Anthropic's clients do. */
    boolean acceptsApiKeyHeader(ServerWebExchange exchange) {
        return matches(apiKeyHeader, exchange);
    }

    private boolean isOpen(ServerWebExchange exchange) {
        HttpMethod method = exchange.getRequest().getMethod();
        if (method != HttpMethod.GET && method != HttpMethod.HEAD) {
            return false;
        }
        return matches(open, exchange)
                || publicDocs && !isManagement(exchange) && (matches(docs, exchange) || RootPage.isAsked(exchange));
    }

    private static boolean isManagement(ServerWebExchange exchange) {
        return WebServerApplicationContext.hasServerNamespace(exchange.getApplicationContext(), MANAGEMENT);
    }

    private static boolean matches(List<PathPattern> patterns, ServerWebExchange exchange) {
        PathContainer path = exchange.getRequest().getPath().pathWithinApplication();
        return patterns.stream().anyMatch(pattern -> pattern.matches(path));
    }

    private static List<PathPattern> patterns(String... paths) {
        return List.of(paths).stream()
                .map(PathPatternParser.defaultInstance::parse)
                .toList();
    }
}
