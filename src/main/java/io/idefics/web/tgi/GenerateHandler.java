package io.idefics.web.tgi;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationRequest;
import io.idefics.service.CompletionService;
import io.idefics.web.BodyReader;
import io.idefics.web.Frame;
import io.idefics.web.Replies;
import java.time.Duration;
import java.util.List;
import java.util.function.UnaryOperator;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.ResponseStatusException;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Answers {@code POST /generate}, {@code POST /generate_stream} and {@code POST /}, where the body chooses. */
public final class GenerateHandler {

    private final CompletionService service;
    private final BodyReader bodies;
    private final GenerateRequestReader requests;
    private final Replies replies;

    public GenerateHandler(
            CompletionService service, BodyReader bodies, GenerateRequestReader requests, Replies replies) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.replies = replies;
    }

    /** Handles a request for a whole answer; abandoning it cancels the generation. */
    Mono<ServerResponse> generate(ServerRequest request) {
        return handle(request, (body, start) -> whole(request, requests.read(body, false), start, answer -> answer));
    }

    /** Handles a request for a stream; abandoning it cancels the generation. */
    Mono<ServerResponse> generateStream(ServerRequest request) {
        return handle(request, (body, start) -> stream(request, requests.read(body, true)));
    }

    /** Handles a request for either; a whole answer is the only one of a list. */
    Mono<ServerResponse> either(ServerRequest request) {
        return handle(
                request,
                (body, start) -> requests.isStream(body)
                        ? stream(request, requests.read(body, true))
                        : whole(request, requests.read(body, false), start, List::of));
    }

    private interface Reply {

        Mono<ServerResponse> to(JsonNode body, long startNanos);
    }

    private Mono<ServerResponse> handle(ServerRequest request, Reply reply) {
        return Mono.defer(() -> {
            long start = System.nanoTime();
            return body(bodies, request).flatMap(body -> reply.to(body, start));
        });
    }

    /** The body; one that is no JSON object is a bad request, not one that was understood and is wrong. */
    static Mono<JsonNode> body(BodyReader bodies, ServerRequest request) {
        return bodies.read(request)
                .onErrorMap(
                        failure -> failure instanceof GenerationException exception
                                && exception.type() == GenerationException.ErrorType.INVALID_VALUE,
                        failure -> new ResponseStatusException(HttpStatus.BAD_REQUEST, failure.getMessage()));
    }

    private Mono<ServerResponse> whole(
            ServerRequest request, GenerateRequest wanted, long start, UnaryOperator<Object> wrapped) {
        return Mono.defer(() -> {
            long inference = System.nanoTime();
            return events(request, wanted)
                    .collectList()
                    .map(events -> Answer.of(wanted, events))
                    .flatMap(answer -> replies.json(
                            wrapped.apply(answer.response(wanted)), headers(wanted, answer, start, inference)));
        });
    }

    private Mono<ServerResponse> stream(ServerRequest request, GenerateRequest wanted) {
        Flux<Frame> frames = AnswerStream.frames(wanted, events(request, wanted));
        return replies.stream(
                replies.frames().frames(frames, "", error -> Frame.of(TgiErrors.INSTANCE.body(error))),
                headers(wanted));
    }

    private Flux<GenerationEvent> events(ServerRequest request, GenerateRequest wanted) {
        GenerationRequest generation = wanted.generation().withClient(Replies.client(request));
        return Flux.defer(() -> service.complete(generation));
    }

    private static HttpHeaders headers(GenerateRequest wanted) {
        HttpHeaders headers = new HttpHeaders();
        String inputs = wanted.inputs();
        headers.set("x-compute-characters", Integer.toString(inputs.codePointCount(0, inputs.length())));
        return headers;
    }

    /**
     * What an answer took, in milliseconds but for {@code x-compute-time}, which is in seconds. Inference is all that
     * comes after the request is validated: its pictures, its wait for a turn and its tokens.
     */
    private static HttpHeaders headers(GenerateRequest wanted, Answer answer, long start, long inference) {
        long now = System.nanoTime();
        int tokens = answer.sequences().get(0).end().tokens();
        HttpHeaders headers = headers(wanted);
        headers.set("x-compute-time", Double.toString((now - start) / 1e9));
        headers.set("x-total-time", millis(now - start));
        headers.set("x-inference-time", millis(now - inference));
        headers.set("x-time-per-token", millis((now - inference) / Math.max(1, tokens)));
        headers.set("x-prompt-tokens", Integer.toString(answer.usage().promptTokens()));
        headers.set("x-generated-tokens", Integer.toString(tokens));
        return headers;
    }

    private static String millis(long nanos) {
        return Long.toString(Duration.ofNanos(nanos).toMillis());
    }
}
