package io.idefics.web;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.publisher.TestPublisher;

class KeepAliveTest {

    private static final Duration INTERVAL = Duration.ofSeconds(15);
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @Test
    void fill_silence_sendsFillerEachInterval() {
        StepVerifier.withVirtualTime(() -> keepAlive().fill(Flux.never(), "."))
                .expectSubscription()
                .expectNoEvent(INTERVAL.minusMillis(1))
                .thenAwait(Duration.ofMillis(1))
                .expectNext(".")
                .expectNoEvent(INTERVAL.minusMillis(1))
                .thenAwait(Duration.ofMillis(1))
                .expectNext(".")
                .thenCancel()
                .verify(PATIENCE);
    }

    @Test
    void fill_element_startsTheIntervalAgain() {
        TestPublisher<String> stream = TestPublisher.create();
        StepVerifier.withVirtualTime(() -> keepAlive().fill(stream.flux(), "."))
                .expectSubscription()
                .expectNoEvent(Duration.ofSeconds(10))
                .then(() -> stream.next("a"))
                .expectNext("a")
                .expectNoEvent(INTERVAL.minusMillis(1))
                .thenAwait(Duration.ofMillis(1))
                .expectNext(".")
                .then(() -> stream.next("b").complete())
                .expectNext("b")
                .expectComplete()
                .verify(PATIENCE);
    }

    @Test
    void fill_busyStream_sendsNoFiller() {
        StepVerifier.withVirtualTime(() -> keepAlive()
                        .fill(
                                Flux.interval(Duration.ofSeconds(14))
                                        .map(Object.class::cast)
                                        .take(5),
                                "."))
                .expectSubscription()
                .thenAwait(Duration.ofSeconds(70))
                .expectNext(0L, 1L, 2L, 3L, 4L)
                .expectComplete()
                .verify(PATIENCE);
    }

    @Test
    void fill_failure_comesAfterTheElementsAndEndsTheTimer() {
        StepVerifier.withVirtualTime(() -> keepAlive()
                        .fill(Flux.just("a", "b").concatWith(Flux.error(new IllegalStateException("x"))), "."))
                .expectNext("a", "b")
                .expectErrorMessage("x")
                .verify(PATIENCE);
    }

    @Test
    void fill_cancelled_cancelsTheStream() {
        TestPublisher<String> stream = TestPublisher.create();
        StepVerifier.withVirtualTime(() -> keepAlive().fill(stream.flux(), "."))
                .then(() -> stream.next("a"))
                .expectNext("a")
                .thenCancel()
                .verify(PATIENCE);

        stream.assertCancelled();
    }

    @Test
    void fill_slowReader_holdsTheStreamBack() {
        TestPublisher<String> stream = TestPublisher.create();
        StepVerifier.withVirtualTime(() -> keepAlive().fill(stream.flux(), "."), 0)
                .expectSubscription()
                .then(() -> stream.assertMinRequested(1))
                .then(() -> stream.assertMaxRequested(32))
                .thenCancel()
                .verify(PATIENCE);
    }

    private static KeepAlive keepAlive() {
        return new KeepAlive(INTERVAL, Schedulers.parallel());
    }
}
