package io.idefics.web.openai;

import io.idefics.generation.Client;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationRequest;
import io.idefics.service.CompletionService;
import io.idefics.service.ModelDescription;
import io.idefics.web.BodyReader;
import io.idefics.web.Replies;
import io.idefics.web.openai.TextAnswer.Part;
import java.util.List;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Answers {@code POST /v1/completions}: one JSON object, or the same as a stream of server-sent events. */
public final class TextCompletionHandler {

    /** How many answers of one request are generated at the same time, so that it does not fill the queue. */
    static final int MAX_ANSWERS_AT_ONCE = 8;

    private final CompletionService service;
    private final BodyReader bodies;
    private final TextRequestReader requests;
    private final Replies replies;

    public TextCompletionHandler(
            CompletionService service, BodyReader bodies, TextRequestReader requests, Replies replies) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.replies = replies;
    }

    /** Handles one request; abandoning the answer cancels the generation. */
    public Mono<ServerResponse> complete(ServerRequest request) {
        return Mono.defer(() -> {
            long start = System.nanoTime();
            return bodies.read(request).map(requests::read).flatMap(asked -> {
                String fingerprint = service.model(asked.generations().get(0).model())
                        .map(ModelDescription::fingerprint)
                        .orElse(null);
                TextAnswer answer = TextAnswer.begin(asked, fingerprint);
                Flux<Part> parts = parts(asked.generations(), Replies.client(request));
                return asked.stream()
                        ? replies.stream(replies.frames().frames(answer.chunks(parts)))
                        : answer.fold(parts).flatMap(whole -> replies.json(whole, start));
            });
        });
    }

    /** The events of all prompts in any mixture; none comes before all prompts have turned out to be sound. */
    private Flux<Part> parts(List<GenerationRequest> generations, Client client) {
        int bestOf = generations.get(0).output().bestOf();
        List<GenerationRequest> prompts = generations.stream()
                .map(generation -> generation.withClient(client))
                .toList();
        return service.prepare(prompts, MAX_ANSWERS_AT_ONCE)
                .flatMapMany(answers -> parts(answers, Math.max(1, MAX_ANSWERS_AT_ONCE / bestOf)));
    }

    private static Flux<Part> parts(List<Flux<GenerationEvent>> answers, int atOnce) {
        // Signals rather than events are merged, as a failure would overtake events that wait to be merged.
        return Flux.range(0, answers.size())
                .flatMap(
                        prompt -> Completion.requireEnd(answers.get(prompt))
                                .map(event -> new Part(prompt, event))
                                .materialize()
                                .filter(signal -> !signal.isOnComplete()),
                        atOnce)
                .dematerialize();
    }
}
