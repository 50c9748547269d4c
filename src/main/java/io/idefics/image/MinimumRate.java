package io.idefics.image;

import io.idefics.image.FetchException.Outcome;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;

/** Ends transfers that come too slowly, which would hold a slot for long with little effort. */
final class MinimumRate {

    /** Over which time the bytes are counted, and how long a transfer may take to begin. */
    static final Duration WINDOW = Duration.ofSeconds(3);

    private MinimumRate() {}

    /**
     * The same pieces, or an error once those of one window had too few bytes.
     *
     * @param bytesPerSecond on average over a window
     */
    static Flux<byte[]> of(Flux<byte[]> pieces, long bytesPerSecond, Scheduler clock) {
        return Flux.defer(() -> {
            AtomicLong received = new AtomicLong();
            Sinks.Empty<Void> end = Sinks.empty();
            Mono<byte[]> watch = Flux.interval(WINDOW, clock)
                    .takeUntilOther(end.asMono())
                    .flatMap(tick -> received.getAndSet(0) < bytesPerSecond * WINDOW.toSeconds()
                            ? Mono.<byte[]>error(FetchException.of(
                                    Outcome.TIMEOUT, "came at less than " + bytesPerSecond + " bytes per second"))
                            : Mono.empty())
                    .then(Mono.empty());
            return pieces.doOnNext(piece -> received.addAndGet(piece.length))
                    .doOnTerminate(end::tryEmitEmpty)
                    .mergeWith(watch);
        });
    }
}
