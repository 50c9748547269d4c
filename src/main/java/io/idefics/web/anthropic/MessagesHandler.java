package io.idefics.web.anthropic;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.StoppingCriteria;
import io.idefics.service.CompletionService;
import io.idefics.service.RenderedPrompt;
import io.idefics.web.BodyReader;
import io.idefics.web.Replies;
import io.idefics.web.SingleAnswer;
import java.util.OptionalInt;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Answers {@code POST /v1/messages}, with one JSON object or a stream of server-sent events, and
 * {@code POST /v1/messages/count_tokens}.
 */
public final class MessagesHandler {

    private final CompletionService service;
    private final BodyReader bodies;
    private final MessagesRequestReader requests;
    private final Replies replies;

    public MessagesHandler(
            CompletionService service, BodyReader bodies, MessagesRequestReader requests, Replies replies) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.replies = replies;
    }

    /**
     * Handles a request for an answer; abandoning it cancels the generation. A message begins with the count of its input
     * tokens, hence the prompt is laid out before.
     */
    public Mono<ServerResponse> create(ServerRequest request) {
        return Mono.defer(() -> bodies.read(request).map(requests::read).flatMap(asked -> {
            GenerationRequest generation = asked.generation().withClient(Replies.client(request));
            return service.render(generation.model(), generation.prompt())
                    .flatMap(prompt ->
                            answer(asked, generation, prompt, new AnthropicErrors(Replies.requestId(request))));
        }));
    }

    /** Handles a request for the number of tokens of a prompt. */
    public Mono<ServerResponse> count(ServerRequest request) {
        return Mono.defer(() -> bodies.read(request)
                .map(requests::count)
                .flatMap(asked -> service.render(asked.model(), asked.prompt()))
                .flatMap(prompt -> replies.json(new TokenCount(prompt.tokens().size()))));
    }

    private Mono<ServerResponse> answer(
            MessagesRequest asked, GenerationRequest generation, RenderedPrompt prompt, AnthropicErrors errors) {
        int inputTokens = prompt.tokens().size();
        int room = prompt.contextLength() - inputTokens;
        boolean fillsContext = room > 0 && room < asked.maxTokens();
        MessageParts parts = MessageParts.begin(generation.model(), inputTokens, fillsContext);
        GenerationRequest fitting = fillsContext ? within(generation, room) : generation;
        Flux<GenerationEvent> events = Flux.defer(() -> service.complete(fitting));
        if (asked.stream()) {
            return replies.stream(replies.frames().frames(new MessageStream(parts).frames(events), "", errors::frame));
        }
        return SingleAnswer.fold(events).map(parts::ended).flatMap(replies::json);
    }

    /** Models of Anthropic take the most tokens for a bound that need not fit the context. */
    private static GenerationRequest within(GenerationRequest request, int maxTokens) {
        StoppingCriteria stopping = request.stopping();
        return new GenerationRequest(
                request.model(),
                request.prompt(),
                request.sampling(),
                new StoppingCriteria(OptionalInt.of(maxTokens), stopping.minTokens(), stopping.stop()),
                request.output(),
                request.client());
    }

    /** Anthropic's {@code MessageTokensCount}. */
    private record TokenCount(@JsonProperty("input_tokens") int inputTokens) {}
}
