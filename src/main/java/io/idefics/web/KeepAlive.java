package io.idefics.web;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;

/**
 * Fills the silences of a stream, so that proxies do not cut it.
 *
 * @param interval the longest silence
 * @param timer keeps the time
 */
public record KeepAlive(Duration interval, Scheduler timer) {

    private static final int PREFETCH = 32;

    /**
     * The stream with a filler for each interval in which it was silent, from the subscription on. One timer runs
     * per interval, not per element: it is set to when the silence will be long enough, seen from the last element.
     * A failure of the stream comes after its last element.
     */
    public <T> Flux<T> fill(Flux<T> stream, T filler) {
        return Flux.defer(() -> {
            AtomicLong last = new AtomicLong(now());
            Sinks.Empty<Void> ended = Sinks.empty();
            Flux<T> elements = stream.doOnNext(element -> last.set(now())).doOnTerminate(ended::tryEmitEmpty);
            Flux<T> fillers = Mono.defer(() -> Mono.delay(untilDue(last), timer))
                    .repeat()
                    .filter(tick -> untilDue(last).isZero())
                    .map(tick -> filler)
                    .doOnNext(sent -> last.set(now()))
                    .takeUntilOther(ended.asMono());
            return Flux.mergeDelayError(PREFETCH, elements, fillers);
        });
    }

    private Duration untilDue(AtomicLong last) {
        long left = interval.toNanos() - (now() - last.get());
        return left <= 0 ? Duration.ZERO : Duration.ofNanos(left);
    }

    private long now() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
