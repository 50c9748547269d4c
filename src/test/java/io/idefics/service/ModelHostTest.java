package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.idefics.engine.EngineProperties;
import io.idefics.engine.SequenceEvent;
import io.idefics.engine.SequenceRequest;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import io.idefics.service.ModelHost.State;
import io.idefics.service.ModelsProperties.ModelProperties;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import reactor.core.publisher.BaseSubscriber;

class ModelHostTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Path TINY = Path.of("src/test/resources/golden/models/tiny-f32");

    @Test
    void state_fromLoadingToReady_isTold() {
        BlockingClock clock = new BlockingClock();
        try (ModelHost host = host(TINY, clock)) {
            ModelRegistry registry = new ModelRegistry(List.of(host));
            assertThat(host.state()).isEqualTo(State.LOADING);
            assertThat(host.parts()).isNull();
            assertThatThrownBy(() -> registry.ready("tiny-f32"))
                    .isInstanceOfSatisfying(
                            GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.MODEL_NOT_READY))
                    .hasMessageContaining("still loading");

            clock.release();

            assertThat(host.engine().ready()).succeedsWithin(PATIENCE);
            assertThat(host.state()).isEqualTo(State.READY);
            assertThat(host.failure()).isNull();
            assertThat(host.hasDied()).isFalse();
            assertThat(registry.ready("tiny-f32")).isSameAs(host);
            assertThat(host.parts().description().contextLength()).isEqualTo(2048);
        }
    }

    @Test
    void state_noCheckpoint_isFailedWithItsMessageAlone(@TempDir Path empty) {
        Path missing = empty.resolve("missing");
        try (ModelHost host = host(missing, Clock.systemUTC())) {
            assertThat(host.engine().ready()).failsWithin(PATIENCE);

            assertThat(host.state()).isEqualTo(State.FAILED);
            assertThat(host.failure()).isEqualTo(missing + ": no such model directory");
            assertThat(host.hasDied()).isFalse();
            assertThatThrownBy(() -> new ModelRegistry(List.of(host)).ready("missing"))
                    .isInstanceOfSatisfying(
                            GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.MODEL_NOT_READY))
                    .hasMessageContaining("could not be loaded");
        }
    }

    @Test
    void hasDied_engineDiesAfterLoading_isTrue() {
        try (ModelHost host = host(TINY, Clock.systemUTC())) {
            assertThat(host.engine().ready()).succeedsWithin(PATIENCE);
            host.engine().generate(request()).subscribe(new BaseSubscriber<>() {
                @Override
                protected void hookOnNext(SequenceEvent token) {
                    throw new LinkageError("not the fault of a sequence");
                }
            });

            await().atMost(PATIENCE).until(host::hasDied);
            assertThat(host.state()).isEqualTo(State.FAILED);
            assertThat(host.failure()).contains("not the fault of a sequence");
            assertThat(host.parts()).isNull();
        }
    }

    private static ModelHost host(Path path, Clock clock) {
        ModelProperties properties = new ModelProperties(path.toString(), null, null, "cpu", null);
        return new ModelHost(properties, new EngineProperties(8, 512, PATIENCE), clock);
    }

    private static SequenceRequest request() {
        ModelInput input = new ModelInput(new int[] {1, 5}, new int[] {-1, -1}, List.of());
        return new SequenceRequest(input, SamplingParams.GREEDY, 4, Set.of(), new int[0]);
    }
}
