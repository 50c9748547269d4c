package io.idefics.web;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.Usage;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The only answer to a request, as it grows. It is written by one stream and whole when that has ended. */
public final class SingleAnswer {

    private final StringBuilder text = new StringBuilder();
    private final List<TokenLogprob> logprobs = new ArrayList<>();
    private @Nullable ChoiceEnded end;
    private @Nullable Usage usage;

    /** The events folded into the whole answer. */
    public static Mono<SingleAnswer> fold(Flux<GenerationEvent> events) {
        return Mono.defer(() -> {
            SingleAnswer answer = new SingleAnswer();
            return answer.watch(events).then(Mono.just(answer));
        });
    }

    /** The events, which this answer grows by; they fail where they end before the answer does. */
    public Flux<GenerationEvent> watch(Flux<GenerationEvent> events) {
        return events.doOnNext(this::add).concatWith(Mono.defer(() -> {
            end();
            usage();
            return Mono.empty();
        }));
    }

    private void add(GenerationEvent event) {
        if (event instanceof TextDelta delta) {
            text.append(delta.text());
            logprobs.addAll(delta.logprobs());
        } else if (event instanceof ChoiceEnded ended) {
            end = ended;
        } else if (event instanceof Completed completed) {
            usage = completed.usage();
        }
    }

    public String text() {
        return text.toString();
    }

    /** How likely the tokens of the text were; empty unless asked for. */
    public List<TokenLogprob> logprobs() {
        return List.copyOf(logprobs);
    }

    /** How the answer ended. */
    public ChoiceEnded end() {
        return require(end);
    }

    /** What the answer cost. */
    public Usage usage() {
        return require(usage);
    }

    private static <T> T require(@Nullable T value) {
        if (value == null) {
            throw new GenerationException(ErrorType.INTERNAL, "the answer ended without its last event", null);
        }
        return value;
    }
}
