package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.engine.SequenceEvent;
import io.idefics.generation.Account;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.Work;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.test.StepVerifier;
import reactor.test.publisher.TestPublisher;

class TokenMeterTest {

    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final SequenceEvent PREFILLED = new SequenceEvent.Prefilled(0, List.of());
    private static final SequenceEvent TOKEN = new SequenceEvent.Token(7, null);

    private final List<Long> charges = new ArrayList<>();
    private final TokenMeter meter = new TokenMeter(
            new Account() {
                @Override
                public CompletionStage<Void> reserve(Work work) {
                    return CompletableFuture.completedFuture(null);
                }

                @Override
                public void beginWait() {}

                @Override
                public void endWait() {}

                @Override
                public void charge(long tokens) {
                    charges.add(tokens);
                }
            },
            10);

    @Test
    void charged_twoSequencesOfOnePrompt_countsThePromptOnce() {
        Flux<SequenceEvent> both = Flux.concat(
                meter.counted(Flux.just(PREFILLED, TOKEN, TOKEN)), meter.counted(Flux.just(PREFILLED, TOKEN)));

        StepVerifier.create(meter.charged(texts(both)))
                .expectNextCount(5)
                .expectComplete()
                .verify(PATIENCE);

        assertThat(charges).containsExactly(13L);
    }

    @Test
    void charged_clientLeavesInTheMiddle_paysWhatWasComputed() {
        TestPublisher<SequenceEvent> sequence = TestPublisher.create();

        StepVerifier.create(meter.charged(texts(meter.counted(sequence.flux()))))
                .then(() -> sequence.next(PREFILLED, TOKEN, TOKEN))
                .expectNextCount(3)
                .thenCancel()
                .verify(PATIENCE);

        assertThat(charges).containsExactly(12L);
    }

    @Test
    void charged_clientLeavesWhileThePromptIsRead_paysThePrompt() {
        StepVerifier.create(meter.charged(texts(meter.counted(Flux.never()))))
                .expectSubscription()
                .thenCancel()
                .verify(PATIENCE);

        assertThat(charges).containsExactly(10L);
    }

    @Test
    void charged_failsBeforeAnythingIsComputed_isFree() {
        StepVerifier.create(meter.charged(texts(meter.counted(Flux.error(new IllegalStateException("full"))))))
                .expectErrorMessage("full")
                .verify(PATIENCE);

        assertThat(charges).isEmpty();
    }

    @Test
    void charged_failsInTheMiddle_paysWhatWasComputed() {
        Flux<SequenceEvent> failing =
                Flux.just(PREFILLED, TOKEN).concatWith(Flux.error(new IllegalStateException("lost")));

        StepVerifier.create(meter.charged(texts(meter.counted(failing))))
                .expectNextCount(2)
                .expectErrorMessage("lost")
                .verify(PATIENCE);

        assertThat(charges).containsExactly(11L);
    }

    private static Flux<GenerationEvent> texts(Flux<SequenceEvent> events) {
        return events.map(event -> new TextDelta(0, "x"));
    }
}
