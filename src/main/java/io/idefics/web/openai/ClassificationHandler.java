package io.idefics.web.openai;

import io.idefics.service.CompletionService;
import io.idefics.service.ModelDescription;
import io.idefics.web.BodyReader;
import io.idefics.web.Replies;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Mono;

/** Answers {@code POST /v1/classify}: how likely each of some answers to a conversation is. */
public final class ClassificationHandler {

    private final CompletionService service;
    private final BodyReader bodies;
    private final ClassificationReader requests;
    private final Replies replies;

    public ClassificationHandler(
            CompletionService service, BodyReader bodies, ClassificationReader requests, Replies replies) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.replies = replies;
    }

    /** Handles one request; abandoning the answer ends the work for it. */
    public Mono<ServerResponse> classify(ServerRequest request) {
        return Mono.defer(() -> {
            long start = System.nanoTime();
            return bodies.read(request).map(requests::read).flatMap(asked -> {
                String fingerprint = service.model(asked.model())
                        .map(ModelDescription::fingerprint)
                        .orElse(null);
                return service.classify(asked.model(), asked.conversation(), asked.choices(), Replies.client(request))
                        .map(scored -> ClassificationObject.of(scored, asked.model(), fingerprint))
                        .flatMap(answer -> replies.json(answer, start));
            });
        });
    }
}
