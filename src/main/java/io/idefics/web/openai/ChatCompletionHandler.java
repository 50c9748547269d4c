package io.idefics.web.openai;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationRequest;
import io.idefics.service.CompletionService;
import io.idefics.service.ModelDescription;
import io.idefics.web.BodyReader;
import io.idefics.web.Replies;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Answers {@code POST /v1/chat/completions}: one JSON object, or the same as a stream of server-sent events. */
public final class ChatCompletionHandler {

    private final CompletionService service;
    private final BodyReader bodies;
    private final ChatRequestReader requests;
    private final Replies replies;

    public ChatCompletionHandler(
            CompletionService service, BodyReader bodies, ChatRequestReader requests, Replies replies) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.replies = replies;
    }

    /** Handles one request; abandoning the answer cancels the generation. */
    public Mono<ServerResponse> complete(ServerRequest request) {
        return Mono.defer(() -> {
            long start = System.nanoTime();
            return bodies.read(request).map(requests::read).flatMap(chat -> {
                GenerationRequest generation = chat.generation().withClient(Replies.client(request));
                String fingerprint = service.model(generation.model())
                        .map(ModelDescription::fingerprint)
                        .orElse(null);
                Completion completion = Completion.begin(generation, chat.prefix(), fingerprint);
                Flux<GenerationEvent> events = Flux.defer(() -> service.complete(generation));
                return chat.stream()
                        ? replies.stream(replies.frames().frames(completion.chunks(events, chat.includeUsage())))
                        : completion.fold(events).flatMap(answer -> replies.json(answer, start));
            });
        });
    }
}
