package io.idefics.web.openai.responses;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.testing.Settings;
import io.idefics.web.Frame;
import io.idefics.web.GenerationProperties;
import io.idefics.web.ScriptedCompletionService;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.test.StepVerifier;

class ResponseStreamTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void frames_abandonedAtAnyMoment_cancelsTheGeneration(int frames) throws IOException {
        AtomicBoolean cancelled = new AtomicBoolean();
        Flux<GenerationEvent> events = Flux.<GenerationEvent>concat(Flux.just(new TextDelta(0, "a")), Flux.never())
                .doOnCancel(() -> cancelled.set(true));
        Flux<Frame> stream = new ResponseStream(ResponseParts.begin(request())).frames(events);

        StepVerifier.create(stream, frames).expectNextCount(frames).thenCancel().verify(Duration.ofSeconds(10));

        assertThat(cancelled).isTrue();
    }

    private static ResponsesRequest request() throws IOException {
        ResponsesRequestReader reader = new ResponsesRequestReader(
                new ScriptedCompletionService(), new GenerationProperties(0, 8, 32), Settings.web("max-images=2"));
        return reader.read(new ObjectMapper().readTree("{\"input\":\"hi\"}"));
    }
}
