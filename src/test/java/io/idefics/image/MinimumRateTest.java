package io.idefics.image;

import io.idefics.image.FetchException.Outcome;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;

class MinimumRateTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @Test
    void of_oneBytePerSecond_failsAfterTheFirstWindow() {
        StepVerifier.withVirtualTime(
                        () -> pieces(Flux.interval(Duration.ofSeconds(1)).map(i -> new byte[1])))
                .expectSubscription()
                .thenAwait(MinimumRate.WINDOW)
                .thenConsumeWhile(piece -> true)
                .expectErrorMatches(error -> ((FetchException) error).outcome() == Outcome.TIMEOUT)
                .verify(PATIENCE);
    }

    @Test
    void of_silenceInTheMiddle_fails() {
        StepVerifier.withVirtualTime(() -> pieces(Flux.just(new byte[1 << 20]).concatWith(Flux.never())))
                .expectNextCount(1)
                .thenAwait(MinimumRate.WINDOW.multipliedBy(2))
                .expectErrorMatches(error -> ((FetchException) error).outcome() == Outcome.TIMEOUT)
                .verify(PATIENCE);
    }

    @Test
    void of_enoughBytes_goOnForAsLongAsTheyCome() {
        StepVerifier.withVirtualTime(() -> pieces(Flux.interval(Duration.ofSeconds(1))
                        .map(i -> new byte[2048])
                        .take(100)))
                .expectSubscription()
                .thenAwait(Duration.ofSeconds(100))
                .expectNextCount(100)
                .expectComplete()
                .verify(PATIENCE);
    }

    @Test
    void of_shortTransfer_endsAtOnce() {
        StepVerifier.withVirtualTime(() -> pieces(Flux.just(new byte[1])))
                .expectNextCount(1)
                .expectComplete()
                .verify(PATIENCE);
    }

    private static Flux<byte[]> pieces(Flux<byte[]> pieces) {
        return MinimumRate.of(pieces, 1024, VirtualTimeScheduler.getOrSet());
    }
}
