package io.idefics.web;

import io.idefics.admission.Allowance;
import io.idefics.admission.Limits;
import io.idefics.generation.GenerationException;
import java.util.concurrent.CompletableFuture;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/**
 * Counts the requests of each caller, whatever becomes of them, and tells each what it has left; before any byte of a body
 * is asked for.
 */
@Order(Ordered.HIGHEST_PRECEDENCE + 20)
public final class LimitsFilter implements WebFilter {

    private static final String ALLOWANCE = Allowance.class.getName();

    private final Limits limits;
    private final Scheduler workers;

    /**
     * Makes a filter.
     *
     * @param workers where a request goes on for which another machine was asked
     */
    public LimitsFilter(Limits limits, Scheduler workers) {
        this.limits = limits;
        this.workers = workers;
    }

    /** What is allowed to a request; everything where it has not passed the filter. */
    static Allowance allowance(ServerWebExchange exchange) {
        return exchange.getAttributeOrDefault(ALLOWANCE, Allowance.UNLIMITED);
    }

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        if (!AccessFilter.isForApi(exchange)) {
            return chain.filter(exchange);
        }
        return Mono.defer(() -> counted(exchange)).flatMap(allowance -> {
            exchange.getAttributes().put(ALLOWANCE, allowance);
            LimitHeaders.write(allowance.balances(), exchange);
            GenerationException refusal = allowance.refusal();
            return refusal == null ? chain.filter(exchange) : Mono.error(refusal);
        });
    }

    private Mono<Allowance> counted(ServerWebExchange exchange) {
        CompletableFuture<Allowance> allowance =
                limits.request(AccessFilter.caller(exchange)).toCompletableFuture();
        // Not cancelled with the request: others may wait for the same answer.
        Mono<Allowance> counted = Mono.fromFuture(allowance, true);
        return allowance.isDone() ? counted : counted.publishOn(workers);
    }
}
