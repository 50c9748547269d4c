package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.idefics.admission.Arrivals;
import io.idefics.admission.Caller;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.PriorityShares;
import io.idefics.generation.GenerationException;
import io.idefics.generation.Priority;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.springframework.mock.http.server.reactive.MockServerHttpRequest;
import org.springframework.mock.web.server.MockServerWebExchange;
import org.springframework.web.reactive.function.server.HandlerFunction;
import org.springframework.web.reactive.function.server.HandlerStrategies;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.reactive.result.view.ViewResolver;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.publisher.TestPublisher;

class AdmissionFilterTest {

    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final ConcurrencyLimiter limiter = new ConcurrencyLimiter(
            Bulkhead.of(
                    "test",
                    BulkheadConfig.custom()
                            .maxConcurrentCalls(1)
                            .maxWaitDuration(Duration.ZERO)
                            .build()),
            1000,
            1000,
            new PriorityShares(1, 1),
            new Arrivals(8, 1),
            8);
    private final AdmissionFilter filter = new AdmissionFilter(limiter);
    private final MockServerWebExchange exchange = MockServerWebExchange.from(MockServerHttpRequest.post("/"));

    @Test
    void filter_answered_releasesAfterTheBodyIsWritten() {
        TestPublisher<String> body = TestPublisher.create();
        ServerResponse response = filtered(request -> ServerResponse.ok().body(body.mono(), String.class))
                .block(PATIENCE);
        assertThat(limiter.available()).isZero();

        StepVerifier.create(write(response))
                .then(() -> assertThat(limiter.available()).isZero())
                .then(() -> body.emit("x"))
                .expectComplete()
                .verify(PATIENCE);
        assertThat(limiter.available()).isEqualTo(1);
    }

    @Test
    void filter_handlerFails_releases() {
        StepVerifier.create(filtered(request -> Mono.error(new IllegalStateException("x"))))
                .expectErrorMessage("x")
                .verify(PATIENCE);
        assertThat(limiter.available()).isEqualTo(1);
    }

    @Test
    void filter_handlerThrows_releases() {
        StepVerifier.create(filtered(request -> {
                    throw new IllegalStateException("x");
                }))
                .expectErrorMessage("x")
                .verify(PATIENCE);
        assertThat(limiter.available()).isEqualTo(1);
    }

    @Test
    void filter_handlerGivesNothing_releases() {
        StepVerifier.create(filtered(request -> Mono.empty())).expectComplete().verify(PATIENCE);
        assertThat(limiter.available()).isEqualTo(1);
    }

    @Test
    void filter_cancelledBeforeTheAnswer_releases() {
        StepVerifier.create(filtered(request -> Mono.never()))
                .expectSubscription()
                .then(() -> assertThat(limiter.available()).isZero())
                .thenCancel()
                .verify(PATIENCE);
        assertThat(limiter.available()).isEqualTo(1);
    }

    @Test
    void filter_cancelledWhileWriting_releasesOnce() {
        ServerResponse response = filtered(request -> ServerResponse.ok().body(Mono.never(), String.class))
                .block(PATIENCE);
        StepVerifier.create(write(response)).expectSubscription().thenCancel().verify(PATIENCE);

        assertThat(limiter.available()).isEqualTo(1);
    }

    @Test
    void filter_bodyFails_releases() {
        ServerResponse response = filtered(
                        request -> ServerResponse.ok().body(Mono.error(new IllegalStateException("x")), String.class))
                .block(PATIENCE);
        StepVerifier.create(write(response)).expectErrorMessage("x").verify(PATIENCE);

        assertThat(limiter.available()).isEqualTo(1);
    }

    @Test
    void filter_noRoom_neverCallsTheHandler() {
        limiter.acquire(Priority.NORMAL);

        StepVerifier.create(filtered(request -> {
                    throw new AssertionError("called");
                }))
                .expectError(GenerationException.class)
                .verify(PATIENCE);
        assertThat(limiter.available()).isZero();
    }

    @Test
    void filter_response_looksLikeTheOriginal() {
        ServerResponse response = filtered(
                        request -> ServerResponse.accepted().header("a", "b").build())
                .block(PATIENCE);

        assertThat(response.statusCode().value()).isEqualTo(202);
        assertThat(response.headers().getFirst("a")).isEqualTo("b");
        assertThat(response.cookies()).isEmpty();
    }

    private Mono<ServerResponse> filtered(HandlerFunction<ServerResponse> handler) {
        exchange.getAttributes().put(Caller.class.getName(), Caller.at(null, Set.of()));
        return filter.filter(
                ServerRequest.create(exchange, HandlerStrategies.withDefaults().messageReaders()), handler);
    }

    private Mono<Void> write(ServerResponse response) {
        return response.writeTo(exchange, new ServerResponse.Context() {
            @Override
            public List<org.springframework.http.codec.HttpMessageWriter<?>> messageWriters() {
                return HandlerStrategies.withDefaults().messageWriters();
            }

            @Override
            public List<ViewResolver> viewResolvers() {
                return List.of();
            }
        });
    }
}
