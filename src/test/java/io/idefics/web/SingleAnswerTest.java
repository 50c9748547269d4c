package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.Usage;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.test.StepVerifier;

class SingleAnswerTest {

    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final TokenLogprob TOKEN =
            new TokenLogprob(new TokenLogprob.Candidate(5, "b", List.of(98), -1), List.of(), 1);
    private static final ChoiceEnded END = new ChoiceEnded(0, FinishReason.STOP_STRING, "stop", 3, null);
    private static final Usage USAGE = new Usage(4, 1, 0, 3);

    @Test
    void fold_wholeAnswer_hasAllParts() {
        Flux<GenerationEvent> events =
                Flux.just(new TextDelta(0, "a"), new TextDelta(0, "b", List.of(TOKEN)), END, new Completed(USAGE));

        StepVerifier.create(SingleAnswer.fold(events))
                .assertNext(answer -> {
                    assertThat(answer.text()).isEqualTo("ab");
                    assertThat(answer.logprobs()).containsExactly(TOKEN);
                    assertThat(answer.end()).isEqualTo(END);
                    assertThat(answer.usage()).isEqualTo(USAGE);
                })
                .expectComplete()
                .verify(PATIENCE);
    }

    @Test
    void fold_endOrUsageMissing_fails() {
        for (List<GenerationEvent> events :
                List.of(List.<GenerationEvent>of(new Completed(USAGE)), List.<GenerationEvent>of(END))) {
            StepVerifier.create(SingleAnswer.fold(Flux.fromIterable(events)))
                    .expectErrorSatisfies(failure -> assertThat(failure)
                            .isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.type())
                                    .isEqualTo(GenerationException.ErrorType.INTERNAL)))
                    .verify(PATIENCE);
        }
    }

    @Test
    void watch_wholeAnswer_passesEventsOn() {
        Flux<GenerationEvent> events = Flux.just(new TextDelta(0, "a"), END, new Completed(USAGE));

        StepVerifier.create(new SingleAnswer().watch(events))
                .expectNext(new TextDelta(0, "a"), END, new Completed(USAGE))
                .expectComplete()
                .verify(PATIENCE);
    }
}
