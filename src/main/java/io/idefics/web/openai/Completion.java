package io.idefics.web.openai;

import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.TokenLogprob;
import io.idefics.web.Frame;
import io.idefics.web.openai.ChatCompletionChunk.Delta;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * One answer on its way to the client: what all its parts have in common.
 *
 * @param id the id of the answer
 * @param created when it was begun, in seconds since the epoch
 * @param request what was asked for
 * @param prefix what is told before each answer
 * @param fingerprint the fingerprint of the model; null where the model is not ready
 */
record Completion(String id, long created, GenerationRequest request, String prefix, @Nullable String fingerprint) {

    static Completion begin(GenerationRequest request, String prefix, @Nullable String fingerprint) {
        String id = "chatcmpl-" + UUID.randomUUID().toString().replace("-", "");
        return new Completion(id, Instant.now().getEpochSecond(), request, prefix, fingerprint);
    }

    /** The events folded into one answer. */
    Mono<ChatCompletion> fold(Flux<GenerationEvent> events) {
        return events.collectList().map(this::whole);
    }

    /**
     * The events as chunks: the roles of all choices, their pieces of text and reasons of the end, and where asked for
     * the usage. Nothing is sent before the first event. The roles come together, since there are clients that take the
     * answer for complete when each choice that they have seen has ended.
     */
    Flux<Frame> chunks(Flux<GenerationEvent> events, boolean includeUsage) {
        return requireEnd(events).switchOnFirst((first, all) -> {
            // A failure must not overtake the text before it.
            Flux<Object> chunks = all.concatMapDelayError(event -> Flux.fromIterable(chunksOf(event, includeUsage)));
            return (first.hasValue() ? chunks.startWith(roles(includeUsage)) : chunks).map(Frame::of);
        });
    }

    /** The events, with a fault where they end without the last one. */
    static Flux<GenerationEvent> requireEnd(Flux<GenerationEvent> events) {
        return Flux.defer(() -> {
            AtomicBoolean ended = new AtomicBoolean();
            return events.doOnNext(event -> ended.set(event instanceof Completed))
                    .concatWith(Mono.defer(() -> ended.get() ? Mono.empty() : Mono.error(unfinished())));
        });
    }

    private List<Object> chunksOf(GenerationEvent event, boolean includeUsage) {
        if (event instanceof TextDelta delta) {
            LogprobsObject logprobs = delta.logprobs().isEmpty() ? null : LogprobsObject.of(delta.logprobs());
            return List.of(step(delta.choice(), new Delta(null, delta.text()), logprobs, null, includeUsage));
        }
        if (event instanceof ChoiceEnded end) {
            return List.of(step(end.choice(), new Delta(null, null), null, name(end.reason()), includeUsage));
        }
        return event instanceof Completed completed && includeUsage
                ? List.of(new ChatCompletionChunk.WithUsage(chunk(List.of()), UsageObject.of(completed.usage())))
                : List.of();
    }

    private List<Object> roles(boolean includeUsage) {
        return IntStream.range(0, request.output().choices())
                .mapToObj(choice -> step(choice, new Delta("assistant", prefix), null, null, includeUsage))
                .toList();
    }

    private Object step(
            int choice,
            Delta delta,
            @Nullable LogprobsObject logprobs,
            @Nullable String finishReason,
            boolean includeUsage) {
        ChatCompletionChunk chunk =
                chunk(List.of(new ChatCompletionChunk.Choice(choice, delta, logprobs, finishReason)));
        return includeUsage ? new ChatCompletionChunk.WithUsage(chunk, null) : chunk;
    }

    private ChatCompletionChunk chunk(List<ChatCompletionChunk.Choice> choices) {
        return new ChatCompletionChunk(id, ChatCompletionChunk.OBJECT, created, request.model(), fingerprint, choices);
    }

    private ChatCompletion whole(List<GenerationEvent> events) {
        if (events.isEmpty() || !(events.get(events.size() - 1) instanceof Completed completed)) {
            throw unfinished();
        }
        List<ChatCompletion.Choice> choices = IntStream.range(
                        0, request.output().choices())
                .mapToObj(index -> choice(index, events))
                .toList();
        UsageObject usage = UsageObject.of(completed.usage());
        return new ChatCompletion(id, ChatCompletion.OBJECT, created, request.model(), fingerprint, choices, usage);
    }

    private ChatCompletion.Choice choice(int index, List<GenerationEvent> events) {
        StringBuilder text = new StringBuilder(prefix);
        List<TokenLogprob> logprobs = new ArrayList<>();
        FinishReason reason = null;
        for (GenerationEvent event : events) {
            if (event instanceof TextDelta delta && delta.choice() == index) {
                text.append(delta.text());
                logprobs.addAll(delta.logprobs());
            } else if (event instanceof ChoiceEnded end && end.choice() == index) {
                reason = end.reason();
            }
        }
        if (reason == null) {
            throw unfinished();
        }
        ChatCompletion.Message message = new ChatCompletion.Message("assistant", text.toString(), null);
        LogprobsObject told = request.output().topLogprobs() < 0 ? null : LogprobsObject.of(logprobs);
        return new ChatCompletion.Choice(index, message, told, name(reason));
    }

    /** OpenAI's name of a reason. */
    static String name(FinishReason reason) {
        return switch (reason) {
            case END_TOKEN, STOP_STRING -> "stop";
            case LENGTH -> "length";
        };
    }

    /** The fault of an answer that ends too early. */
    static GenerationException unfinished() {
        return new GenerationException(ErrorType.INTERNAL, "the answer ended without its last event", null);
    }
}
