package io.idefics.web.openai;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationRequest;
import io.idefics.service.CompletionService;
import io.idefics.web.BodyReader;
import io.idefics.web.KeepAlive;
import io.idefics.web.WireJson;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.springframework.http.CacheControl;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** Answers {@code POST /v1/chat/completions}: one JSON object, or the same as a stream of server-sent events. */
public final class ChatCompletionHandler {

    private final CompletionService service;
    private final BodyReader bodies;
    private final ChatRequestReader requests;
    private final WireJson json;
    private final EventStream stream;

    public ChatCompletionHandler(
            CompletionService service,
            BodyReader bodies,
            ChatRequestReader requests,
            WireJson json,
            KeepAlive keepAlive) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.json = json;
        this.stream = new EventStream(json, keepAlive);
    }

    /** Handles one request; abandoning the answer cancels the generation. */
    public Mono<ServerResponse> complete(ServerRequest request) {
        return Mono.defer(() -> {
            long start = System.nanoTime();
            return bodies.read(request).map(requests::read).flatMap(chat -> {
                GenerationRequest generation = chat.generation().withClient(client(request));
                Completion completion = Completion.begin(generation);
                Flux<GenerationEvent> events = events(generation);
                return chat.stream()
                        ? streamed(completion.chunks(events, chat.includeUsage()))
                        : completion.fold(events).flatMap(answer -> whole(answer, start));
            });
        });
    }

    /** Who asks: the holder of a key, of which only a hash is kept, or an address. */
    private static String client(ServerRequest request) {
        String key = request.headers().firstHeader(HttpHeaders.AUTHORIZATION);
        return key != null
                ? "key " + Integer.toHexString(key.hashCode())
                : request.remoteAddress().map(InetSocketAddress::getHostString).orElse("");
    }

    private Flux<GenerationEvent> events(GenerationRequest request) {
        return Flux.defer(() -> service.complete(request));
    }

    private Mono<ServerResponse> whole(ChatCompletion answer, long start) {
        long millis = Duration.ofNanos(System.nanoTime() - start).toMillis();
        return ServerResponse.ok()
                .contentType(MediaType.APPLICATION_JSON)
                .cacheControl(CacheControl.noStore())
                .header("openai-processing-ms", Long.toString(millis))
                .bodyValue(json.write(answer));
    }

    private Mono<ServerResponse> streamed(Flux<Object> chunks) {
        return ServerResponse.ok()
                .contentType(MediaType.TEXT_EVENT_STREAM)
                .cacheControl(CacheControl.noCache())
                .header("x-accel-buffering", "no")
                .body((output, context) -> write((ServerHttpResponse) output, stream.frames(chunks)));
    }

    /**
     * The status is sent with the first frame, so that an earlier failure can still choose its own. A connection that
     * breaks at that very moment is not passed on to the frames by the framework, so the end of the writing is.
     */
    private static Mono<Void> write(ServerHttpResponse output, Flux<byte[]> frames) {
        return Mono.defer(() -> {
            Sinks.Empty<Void> written = Sinks.empty();
            Flux<byte[]> watched = frames.takeUntilOther(written.asMono());
            return output.writeAndFlushWith(watched.map(frame ->
                            Mono.fromSupplier(() -> output.bufferFactory().wrap(frame))))
                    .doFinally(signal -> written.tryEmitEmpty());
        });
    }
}
