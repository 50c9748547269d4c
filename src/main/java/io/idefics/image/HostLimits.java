package io.idefics.image;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.reactor.circuitbreaker.operator.CircuitBreakerOperator;
import io.idefics.image.FetchException.Outcome;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * What fetches take turns for: so many at one time, so many from one host, and none for a while from a host that keeps
 * failing.
 *
 * <p>Clients choose the names of hosts, so what is kept for a host is bounded: its slots live only as long as a fetch
 * has or wants one, its circuit breaker is one of a limited number that are forgotten when idle.
 */
final class HostLimits {

    private static final int MAX_BREAKERS = 1000;
    private static final Duration BREAKER_LIFE = Duration.ofMinutes(10);

    /** A host is left alone for a while when four of five fetches failed, at least five; then two show how it is now. */
    private static final CircuitBreakerConfig BREAKING = CircuitBreakerConfig.custom()
            .slidingWindowSize(20)
            .minimumNumberOfCalls(5)
            .failureRateThreshold(80)
            .waitDurationInOpenState(Duration.ofSeconds(15))
            .permittedNumberOfCallsInHalfOpenState(2)
            .recordException(error -> error instanceof FetchException failure && failure.isHostFault())
            .build();

    private final FetchSlots all;
    private final int slotsPerHost;
    private final Map<String, HostSlots> slots = new HashMap<>(); // guarded by this
    private final Cache<String, CircuitBreaker> breakers = Caffeine.newBuilder()
            .maximumSize(MAX_BREAKERS)
            .expireAfterAccess(BREAKER_LIFE)
            .build();

    /** The slots of a host that is in use. */
    private static final class HostSlots {

        private final FetchSlots slots;
        private int users;

        HostSlots(FetchSlots slots) {
            this.slots = slots;
        }
    }

    HostLimits(int slots, int slotsPerHost) {
        this.all = new FetchSlots("fetches", slots);
        this.slotsPerHost = slotsPerHost;
    }

    /** Fetches that may begin at once, if they go to different hosts. */
    int free() {
        return all.free();
    }

    /** Hosts that fetches are running or waiting for. */
    synchronized int hostsInUse() {
        return slots.size();
    }

    /** Lets hosts that have failed be asked again at once. */
    void forgetFailures() {
        breakers.invalidateAll();
    }

    /**
     * Runs a request to a host when it is its turn.
     *
     * @param host a name or an address with a port
     * @param client for whom it is
     * @param deadline for the wait and then, from the first turn on, for the fetch
     */
    <T> Mono<T> inTurn(String host, String client, FetchDeadline deadline, Mono<T> request) {
        return Mono.defer(() -> {
            Turn turn = new Turn(host, client);
            return turn.granted()
                    .timeout(deadline.left(), Mono.error(turn::tooLate))
                    .then(Mono.defer(() -> {
                        deadline.start();
                        return guarded(
                                host,
                                request.timeout(
                                        deadline.left(),
                                        Mono.error(
                                                () -> FetchException.ofHost(Outcome.TIMEOUT, "took too long", null))));
                    }))
                    .doOnTerminate(turn::close)
                    .doOnCancel(turn::close);
        });
    }

    private <T> Mono<T> guarded(String host, Mono<T> request) {
        CircuitBreaker breaker = breakers.get(host, name -> CircuitBreaker.of("host", BREAKING));
        return request.transformDeferred(CircuitBreakerOperator.of(breaker))
                .onErrorMap(
                        CallNotPermittedException.class,
                        error -> FetchException.of(Outcome.CIRCUIT_OPEN, "the host failed too often"));
    }

    private synchronized FetchSlots enter(String host) {
        HostSlots entered = slots.computeIfAbsent(host, name -> new HostSlots(new FetchSlots("host", slotsPerHost)));
        entered.users++;
        return entered.slots;
    }

    private synchronized void leave(String host) {
        HostSlots left = slots.get(host);
        if (left != null && --left.users == 0) {
            slots.remove(host);
        }
    }

    /** A slot of a host and then one of all: always in this order, so that fetches do not wait for each other. */
    private final class Turn {

        private final String host;
        private final String client;
        private final FetchSlots.Slot ofHost;
        private FetchSlots.@Nullable Slot ofAll; // guarded by this
        private boolean closed; // guarded by this

        Turn(String host, String client) {
            this.host = host;
            this.client = client;
            this.ofHost = enter(host).take(client);
        }

        Mono<Void> granted() {
            return ofHost.granted().then(Mono.defer(this::second));
        }

        private synchronized Mono<Void> second() {
            if (closed) {
                return Mono.empty();
            }
            ofAll = all.take(client);
            return ofAll.granted();
        }

        /** A host that is too slow for what is asked of it is its own fault; this service has too little room otherwise. */
        synchronized FetchException tooLate() {
            return ofAll == null
                    ? FetchException.of(Outcome.TIMEOUT, "other fetches from the host take too long")
                    : FetchException.of(Outcome.BUSY, "no slot became free in time");
        }

        void close() {
            FetchSlots.Slot second;
            synchronized (this) {
                if (closed) {
                    return;
                }
                closed = true;
                second = ofAll;
            }
            if (second != null) {
                second.close();
            }
            ofHost.close();
            leave(host);
        }
    }
}
