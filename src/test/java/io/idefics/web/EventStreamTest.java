package io.idefics.web;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;

class EventStreamTest {

    private static final Duration INTERVAL = Duration.ofSeconds(15);
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @Test
    void frames_silenceBeforeTheFirstChunk_sendsComments() {
        StepVerifier.withVirtualTime(() -> frames(Mono.delay(Duration.ofSeconds(40))
                        .<Object>thenReturn(Map.of("a", 1))
                        .flux()))
                .expectSubscription()
                .thenAwait(Duration.ofSeconds(40))
                .expectNext(": keep-alive\n\n", ": keep-alive\n\n", "data: {\"a\":1}\n\n", "data: [DONE]\n\n")
                .expectComplete()
                .verify(PATIENCE);
    }

    @Test
    void frames_failureBeforeAnything_staysAFailure() {
        StepVerifier.withVirtualTime(() -> frames(failure()))
                .expectErrorMessage("why")
                .verify(PATIENCE);
    }

    @Test
    void frames_failureAfterAComment_becomesAnEvent() {
        StepVerifier.withVirtualTime(
                        () -> frames(Mono.delay(Duration.ofSeconds(20)).thenMany(failure())))
                .expectSubscription()
                .thenAwait(Duration.ofSeconds(20))
                .expectNext(": keep-alive\n\n")
                .expectNext("event: error\ndata: {\"error\":{\"message\":\"why\",\"type\":\"invalid_request_error\","
                        + "\"param\":null,\"code\":\"invalid_image_url\"}}\n\n")
                .expectComplete()
                .verify(PATIENCE);
    }

    private static Flux<Object> failure() {
        return Flux.error(new GenerationException(ErrorType.INVALID_IMAGE_URL, "why", null));
    }

    private static Flux<String> frames(Flux<Object> chunks) {
        return new EventStream(new WireJson(1_000), new KeepAlive(INTERVAL, Schedulers.parallel()))
                .frames(chunks.map(Frame::of))
                .map(frame -> new String(frame, StandardCharsets.UTF_8));
    }
}
