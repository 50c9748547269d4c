package io.idefics.service;

import io.idefics.engine.SequenceEvent;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.Usage;
import java.util.List;
import java.util.function.IntFunction;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * The choices of one answer, which are generated at the same time. Not thread-safe before the subscription, and for one
 * subscription only.
 *
 * @param choices the choices by index, at least one
 * @param promptTokens tokens of the prompt
 * @param imageTokens those of them that stand for pictures
 */
record Answer(List<Choice> choices, int promptTokens, int imageTokens) {

    /**
     * The events of all choices as they come, and the end. A stop string ends its own choice; a failure of one choice
     * ends the answer, after the events before it; cancelling stops all choices.
     *
     * @param sequences the tokens of each choice by its index
     */
    Flux<GenerationEvent> events(IntFunction<Flux<SequenceEvent>> sequences) {
        // Signals rather than events are merged, as a failure would overtake events that wait to be merged.
        return Flux.range(0, choices.size())
                .flatMap(
                        index -> events(choices.get(index), sequences.apply(index))
                                .materialize()
                                .filter(signal -> !signal.isOnComplete()),
                        choices.size())
                .<GenerationEvent>dematerialize()
                .concatWith(Mono.fromSupplier(() -> new Completed(usage())));
    }

    private static Flux<GenerationEvent> events(Choice choice, Flux<SequenceEvent> sequence) {
        return sequence.publishOn(Schedulers.parallel())
                .concatMapIterable(choice::append)
                .concatWith(Flux.defer(() -> Flux.fromIterable(choice.finish())))
                .takeUntil(ChoiceEnded.class::isInstance);
    }

    /** The prompt is run for one choice, and the others find it in the cache, so the least is what was there before. */
    private Usage usage() {
        int cachedTokens = choices.stream().mapToInt(Choice::cachedTokens).min().orElse(0);
        int completionTokens = choices.stream().mapToInt(Choice::tokens).sum();
        return new Usage(promptTokens, cachedTokens, imageTokens, completionTokens);
    }
}
