package io.idefics.web;

import io.idefics.admission.AccessPolicy;
import io.idefics.admission.AccessRefusals;
import io.idefics.admission.AccessRefusals.Reason;
import io.idefics.admission.ApiKeys;
import io.idefics.admission.Caller;
import io.idefics.admission.Scope;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.netty.util.NetUtil;
import java.net.InetSocketAddress;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.web.server.ResponseStatusException;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import reactor.core.publisher.Mono;

/**
 * Lets in who holds a key with the scope that a request needs, before anything else is done with the request and
 * before any byte of its body is asked for.
 */
@Order(Ordered.HIGHEST_PRECEDENCE + 10)
public final class AccessFilter implements WebFilter {

    private static final String CALLER = Caller.class.getName();
    private static final Pattern PORT = Pattern.compile(":[0-9]*$");
    private static final String API = AccessFilter.class.getName() + ".api";

    private final AccessRules rules;
    private final AccessPolicy policy;
    private final ApiKeys keys;
    private final AccessRefusals refusals;

    public AccessFilter(AccessRules rules, AccessPolicy policy, ApiKeys keys, AccessRefusals refusals) {
        this.rules = rules;
        this.policy = policy;
        this.keys = keys;
        this.refusals = refusals;
    }

    /** Who sends a request that has passed the filter. */
    public static Caller caller(ServerWebExchange exchange) {
        Caller caller = exchange.getAttribute(CALLER);
        if (caller == null) {
            throw new IllegalStateException("The request has not passed the access filter");
        }
        return caller;
    }

    /** Whether a request that has passed the filter is for the API, and not for what describes or watches it. */
    static boolean isForApi(ServerWebExchange exchange) {
        return exchange.getAttributes().containsKey(API);
    }

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        return Mono.defer(() -> {
            if (!rules.isServed(exchange)) {
                return Mono.error(new ResponseStatusException(HttpStatus.NOT_FOUND));
            }
            Optional<Scope> needed = rules.needed(exchange);
            Caller caller = needed.isEmpty() ? anonymous(exchange) : admitted(exchange, needed.get());
            exchange.getAttributes().put(CALLER, caller);
            if (needed.equals(Optional.of(Scope.INFERENCE))) {
                exchange.getAttributes().put(API, true);
            }
            return chain.filter(exchange);
        });
    }

    private Caller admitted(ServerWebExchange exchange, Scope needed) {
        Caller anonymous = anonymous(exchange);
        if (policy.localNamesOnly()) {
            requireLocalName(exchange, anonymous);
        }
        Caller caller = policy.hasKeys() ? identified(exchange, anonymous) : anonymous;
        if (caller.scopes().contains(needed)) {
            return caller;
        }
        if (caller.anonymous()) {
            throw refusal(
                    Reason.MISSING,
                    anonymous,
                    "This request needs an API key: send it in the header 'Authorization: Bearer KEY'.");
        }
        refusals.record(Reason.SCOPE, caller.name());
        throw new GenerationException(
                ErrorType.FORBIDDEN,
                "The API key does not have the scope '" + needed.name().toLowerCase(Locale.ROOT)
                        + "' that this request needs.",
                null);
    }

    private void requireLocalName(ServerWebExchange exchange, Caller caller) {
        for (String host : exchange.getRequest().getHeaders().getOrEmpty(HttpHeaders.HOST)) {
            if (!isLocalName(host)) {
                refusals.record(Reason.HOST, caller.name());
                throw new GenerationException(
                        ErrorType.FORBIDDEN,
                        "A server without API keys answers requests for localhost or an address only, not for '"
                                + JsonField.shorten(host)
                                + "'. Add a key, or set idefics.access.require-keys=false to let everybody in.",
                        null);
            }
        }
    }

    /** Whether a name, with or without a port, leads to its own machine wherever it is looked up, or is an address. */
    private static boolean isLocalName(String host) {
        String name = PORT.matcher(host).replaceFirst("").toLowerCase(Locale.ROOT);
        return name.equals("localhost")
                || name.endsWith(".localhost")
                || NetUtil.isValidIpV4Address(name)
                || name.startsWith("[") && name.endsWith("]") && NetUtil.isValidIpV6Address(name);
    }

    private Caller identified(ServerWebExchange exchange, Caller anonymous) {
        Credentials credentials =
                Credentials.of(exchange.getRequest().getHeaders(), rules.acceptsApiKeyHeader(exchange));
        if (!credentials.given()) {
            return anonymous;
        }
        String key = credentials.key();
        if (key == null) {
            throw refusal(
                    Reason.MALFORMED,
                    anonymous,
                    "What was sent is not one API key: send exactly one in the header 'Authorization: Bearer KEY'.");
        }
        return keys.find(key)
                .orElseThrow(() -> refusal(Reason.UNKNOWN, anonymous, "The API key is not one of this server."));
    }

    private GenerationException refusal(Reason reason, Caller from, String message) {
        refusals.record(reason, from.name());
        return new GenerationException(ErrorType.UNAUTHENTICATED, message, null);
    }

    private Caller anonymous(ServerWebExchange exchange) {
        InetSocketAddress address = exchange.getRequest().getRemoteAddress();
        return Caller.at(address == null ? null : address.getAddress(), policy.anonymousScopes());
    }
}
