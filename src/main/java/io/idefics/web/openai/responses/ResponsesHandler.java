package io.idefics.web.openai.responses;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.service.CompletionService;
import io.idefics.web.ApiError;
import io.idefics.web.BodyReader;
import io.idefics.web.JsonField;
import io.idefics.web.Replies;
import io.idefics.web.SingleAnswer;
import io.idefics.web.WireJson;
import org.springframework.http.CacheControl;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Answers {@code POST /v1/responses}: one JSON object, or the same as a stream of server-sent events. */
public final class ResponsesHandler {

    private final CompletionService service;
    private final BodyReader bodies;
    private final ResponsesRequestReader requests;
    private final Replies replies;
    private final WireJson json;

    public ResponsesHandler(
            CompletionService service,
            BodyReader bodies,
            ResponsesRequestReader requests,
            Replies replies,
            WireJson json) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.replies = replies;
        this.json = json;
    }

    /** Handles one request; abandoning the answer cancels the generation. */
    public Mono<ServerResponse> create(ServerRequest request) {
        return Mono.defer(() -> {
            long start = System.nanoTime();
            return bodies.read(request).map(requests::read).flatMap(asked -> {
                GenerationRequest generation = asked.generation().withClient(Replies.client(request));
                ResponseParts parts = ResponseParts.begin(asked);
                Flux<GenerationEvent> events =
                        Flux.defer(() -> service.complete(generation)).onErrorMap(ResponsesHandler::named);
                if (asked.stream()) {
                    ResponseStream stream = new ResponseStream(parts);
                    return replies.stream(replies.frames().frames(stream.frames(events), "", stream::failed));
                }
                return SingleAnswer.fold(events).map(parts::ended).flatMap(answer -> replies.json(answer, start));
            });
        });
    }

    /** Handles a request for an earlier answer: there never is one. */
    public Mono<ServerResponse> absent(ServerRequest request) {
        ApiError.Detail detail = new ApiError.Detail(
                "Response with id '" + JsonField.shorten(request.pathVariable("id"))
                        + "' not found: responses are not stored.",
                "invalid_request_error",
                "id",
                "response_not_found");
        return ServerResponse.status(HttpStatus.NOT_FOUND)
                .contentType(MediaType.APPLICATION_JSON)
                .cacheControl(CacheControl.noStore())
                .bodyValue(json.write(new ApiError.Envelope(detail)));
    }

    /** The conversation goes by another name here. */
    private static Throwable named(Throwable failure) {
        boolean renamed = failure instanceof GenerationException exception
                && (exception.param() == null
                        ? exception.type() == ErrorType.CONTEXT_LENGTH_EXCEEDED
                        : exception.param().equals("messages"));
        if (!renamed) {
            return failure;
        }
        GenerationException exception = (GenerationException) failure;
        String message = exception.getMessage() == null ? "" : exception.getMessage();
        return new GenerationException(exception.type(), message, "input", exception);
    }
}
