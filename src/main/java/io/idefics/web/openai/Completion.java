package io.idefics.web.openai;

import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * One answer on its way to the client: what all its parts have in common.
 *
 * @param id the id of the answer
 * @param created when it was begun, in seconds since the epoch
 * @param model the id of the model
 */
record Completion(String id, long created, String model) {

    static Completion begin(String model) {
        String id = "chatcmpl-" + UUID.randomUUID().toString().replace("-", "");
        return new Completion(id, Instant.now().getEpochSecond(), model);
    }

    /** The events folded into one answer. */
    Mono<ChatCompletion> fold(Flux<GenerationEvent> events) {
        return events.collectList().map(this::whole);
    }

    /**
     * The events as chunks: the role, the pieces of text, the reason of the end and, where asked for, the usage.
     * Nothing is sent before the first event.
     */
    Flux<Object> chunks(Flux<GenerationEvent> events, boolean includeUsage) {
        return requireEnd(events).switchOnFirst((first, all) -> {
            // A failure must not overtake the text before it.
            Flux<Object> chunks = all.concatMapDelayError(event -> Flux.fromIterable(chunksOf(event, includeUsage)));
            return first.hasValue() ? chunks.startWith(role(includeUsage)) : chunks;
        });
    }

    private static Flux<GenerationEvent> requireEnd(Flux<GenerationEvent> events) {
        return Flux.defer(() -> {
            AtomicBoolean ended = new AtomicBoolean();
            return events.doOnNext(event -> ended.set(event instanceof Completed))
                    .concatWith(Mono.defer(() -> ended.get() ? Mono.empty() : Mono.error(unfinished())));
        });
    }

    private List<Object> chunksOf(GenerationEvent event, boolean includeUsage) {
        if (event instanceof TextDelta delta) {
            return List.of(step(new ChatCompletionChunk.Delta(null, delta.text()), null, includeUsage));
        }
        if (event instanceof ChoiceEnded ended) {
            return List.of(step(new ChatCompletionChunk.Delta(null, null), name(ended.reason()), includeUsage));
        }
        if (!includeUsage) {
            return List.of();
        }
        Completed completed = (Completed) event;
        Object usage = new ChatCompletionChunk.WithUsage(chunk(List.of()), UsageObject.of(completed.usage()));
        return List.of(usage);
    }

    private Object role(boolean includeUsage) {
        return step(new ChatCompletionChunk.Delta("assistant", ""), null, includeUsage);
    }

    private Object step(ChatCompletionChunk.Delta delta, @Nullable String finishReason, boolean includeUsage) {
        ChatCompletionChunk chunk = chunk(List.of(new ChatCompletionChunk.Choice(0, delta, null, finishReason)));
        return includeUsage ? new ChatCompletionChunk.WithUsage(chunk, null) : chunk;
    }

    private ChatCompletionChunk chunk(List<ChatCompletionChunk.Choice> choices) {
        return new ChatCompletionChunk(id, ChatCompletionChunk.OBJECT, created, model, choices);
    }

    private ChatCompletion whole(List<GenerationEvent> events) {
        if (events.isEmpty() || !(events.get(events.size() - 1) instanceof Completed completed)) {
            throw unfinished();
        }
        String text = events.stream()
                .filter(TextDelta.class::isInstance)
                .map(event -> ((TextDelta) event).text())
                .collect(Collectors.joining());
        ChatCompletion.Message message = new ChatCompletion.Message("assistant", text, null);
        ChatCompletion.Choice choice = new ChatCompletion.Choice(0, message, null, name(reason(events)));
        UsageObject usage = UsageObject.of(completed.usage());
        return new ChatCompletion(id, ChatCompletion.OBJECT, created, model, List.of(choice), usage);
    }

    private static FinishReason reason(List<GenerationEvent> events) {
        return events.stream()
                .filter(ChoiceEnded.class::isInstance)
                .map(event -> ((ChoiceEnded) event).reason())
                .findFirst()
                .orElseThrow(Completion::unfinished);
    }

    private static String name(FinishReason reason) {
        return switch (reason) {
            case STOP -> "stop";
            case LENGTH -> "length";
        };
    }

    private static GenerationException unfinished() {
        return new GenerationException(ErrorType.INTERNAL, "the answer ended without its last event", null);
    }
}
