package io.idefics.service;

import io.idefics.engine.SequenceEvent;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.PromptRead;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.Usage;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;

/**
 * The choices of one answer, which are generated at the same time. Not thread-safe before the subscription, and for one
 * subscription only.
 *
 * @param choices the choices by index, at least one
 * @param given how many of them are given: the likeliest, or all
 * @param echo makes the event that tells the prompt, from the first choice; null where it is not told
 * @param promptTokens tokens of the prompt
 * @param imageTokens those of them that stand for pictures
 */
record Answer(
        List<Choice> choices,
        int given,
        @Nullable Function<Choice, PromptRead> echo,
        int promptTokens,
        int imageTokens) {

    /**
     * The events of all choices as they come, and the end; where not all choices are given, those of the likeliest when
     * all have ended. A stop string ends its own choice; a failure of one choice ends the answer, after the events before
     * it; cancelling stops all choices.
     *
     * @param sequences the tokens of each choice by its index
     */
    Flux<GenerationEvent> events(IntFunction<Flux<SequenceEvent>> sequences) {
        Sinks.Empty<Void> told = Sinks.empty();
        // Signals rather than events are merged, as a failure would overtake events that wait to be merged.
        Flux<GenerationEvent> all = Flux.range(0, choices.size())
                .flatMap(
                        index -> events(index, sequences.apply(index), told)
                                .materialize()
                                .filter(signal -> !signal.isOnComplete()),
                        choices.size())
                .<GenerationEvent>dematerialize()
                .doOnNext(event -> told.tryEmitEmpty()); // here, where the events of all choices are in one order
        return (given < choices.size() ? all.collectList().flatMapIterable(this::likeliest) : all)
                .concatWith(Mono.fromSupplier(() -> new Completed(usage())));
    }

    /** @param told ends when the prompt is told, which comes before all text */
    private Flux<GenerationEvent> events(int index, Flux<SequenceEvent> sequence, Sinks.Empty<Void> told) {
        Choice choice = choices.get(index);
        Flux<GenerationEvent> events = sequence.publishOn(Schedulers.parallel())
                .concatMapIterable(event -> append(index, event))
                .concatWith(Flux.defer(() -> Flux.fromIterable(choice.finish())))
                .takeUntil(ChoiceEnded.class::isInstance);
        if (echo == null) {
            return events;
        }
        return index == 0 ? events : events.delaySubscription(told.asMono());
    }

    private List<GenerationEvent> append(int index, SequenceEvent event) {
        Choice choice = choices.get(index);
        List<GenerationEvent> events = choice.append(event);
        boolean tellsPrompt = echo != null && index == 0 && event instanceof SequenceEvent.Prefilled;
        return tellsPrompt && echo != null ? List.of(echo.apply(choice)) : events;
    }

    /** The events of the likeliest choices, the likeliest first, by the mean log-probability of their tokens. */
    private List<GenerationEvent> likeliest(List<GenerationEvent> events) {
        List<Integer> ranked = IntStream.range(0, choices.size())
                .boxed()
                .sorted(Comparator.comparingDouble(
                        (Integer index) -> -choices.get(index).meanLogprob()))
                .toList();
        return events.stream()
                .<GenerationEvent>mapMulti((event, out) -> {
                    if (event instanceof TextDelta delta) {
                        int rank = ranked.indexOf(delta.choice());
                        if (rank < given) {
                            out.accept(new TextDelta(rank, delta.text(), delta.logprobs()));
                        }
                    } else if (event instanceof ChoiceEnded end) {
                        int rank = ranked.indexOf(end.choice());
                        if (rank < given) {
                            out.accept(new ChoiceEnded(rank, end.reason(), end.stop(), end.tokens(), end.end()));
                        }
                    } else {
                        out.accept(event);
                    }
                })
                .toList();
    }

    /** The prompt is run for one choice, and the others find it in the cache, so the least is what was there before. */
    private Usage usage() {
        int cachedTokens = choices.stream().mapToInt(Choice::cachedTokens).min().orElse(0);
        int completionTokens = choices.stream().mapToInt(Choice::tokens).sum();
        return new Usage(promptTokens, cachedTokens, imageTokens, completionTokens);
    }
}
