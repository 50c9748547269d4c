package io.idefics.web;

import io.idefics.admission.Permit;
import io.idefics.generation.Client;
import java.time.Duration;
import org.springframework.http.CacheControl;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** Answers as they go over the wire: one JSON object, or server-sent events. */
public final class Replies {

    private final WireJson json;
    private final EventStream stream;

    public Replies(WireJson json, KeepAlive keepAlive) {
        this.json = json;
        this.stream = new EventStream(json, keepAlive);
    }

    /** Frames events for {@link #stream(Flux)}. */
    public EventStream frames() {
        return stream;
    }

    /** Who asks, with the permit of the request as the account. */
    public static Client client(ServerRequest request) {
        Permit permit = AdmissionFilter.permit(request);
        return new Client(AccessFilter.caller(request.exchange()).name(), permit.priority(), permit);
    }

    /** The id by which the client and the log know a request; empty where it has none. */
    public static String requestId(ServerRequest request) {
        return requestId(request.exchange());
    }

    /** The id by which the client and the log know a request; empty where it has none. */
    public static String requestId(ServerWebExchange exchange) {
        String id = exchange.getResponse().getHeaders().getFirst("x-request-id");
        return id == null ? "" : id;
    }

    /** A JSON object. */
    public Mono<ServerResponse> json(Object body) {
        return json(body, new HttpHeaders());
    }

    /** A JSON object with further headers. */
    public Mono<ServerResponse> json(Object body, HttpHeaders further) {
        return ServerResponse.ok()
                .headers(headers -> headers.putAll(further))
                .contentType(MediaType.APPLICATION_JSON)
                .cacheControl(CacheControl.noStore())
                .bodyValue(json.write(body));
    }

    /** A JSON object that was generated, with the time that it took since {@code startNanos}. */
    public Mono<ServerResponse> json(Object body, long startNanos) {
        long millis = Duration.ofNanos(System.nanoTime() - startNanos).toMillis();
        HttpHeaders further = new HttpHeaders();
        further.set("openai-processing-ms", Long.toString(millis));
        return json(body, further);
    }

    /** Server-sent events; abandoning them cancels what makes them. */
    public Mono<ServerResponse> stream(Flux<byte[]> frames) {
        return stream(frames, new HttpHeaders());
    }

    /** Server-sent events with further headers. */
    public Mono<ServerResponse> stream(Flux<byte[]> frames, HttpHeaders further) {
        return ServerResponse.ok()
                .headers(headers -> headers.putAll(further))
                .contentType(MediaType.TEXT_EVENT_STREAM)
                .cacheControl(CacheControl.noCache())
                .header("x-accel-buffering", "no")
                .body((output, context) -> write((ServerHttpResponse) output, frames));
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
