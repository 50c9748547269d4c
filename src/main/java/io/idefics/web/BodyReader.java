package io.idefics.web;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.admission.Permit;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.concurrent.TimeoutException;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.InvalidMediaTypeException;
import org.springframework.http.MediaType;
import org.springframework.util.FastByteArrayOutputStream;
import org.springframework.web.reactive.function.BodyExtractors;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.server.ResponseStatusException;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/** Reads a JSON body within limits of size and time. */
public final class BodyReader {

    /** Memory is taken in such steps, in bytes. */
    private static final int STEP = 64 * 1024;

    private static final double MILLIS_PER_SECOND = 1000;

    private final WebProperties properties;
    private final long minBytesPerSecond;
    private final WireJson json;
    private final Scheduler parsing;

    /**
     * Makes a reader.
     *
     * @param minBytesPerSecond how fast a body has to come that takes longer than the body timeout
     * @param parsing where bodies are parsed, since a large one would hold up the event loop and the streams on it
     */
    public BodyReader(WebProperties properties, long minBytesPerSecond, WireJson json, Scheduler parsing) {
        this.properties = properties;
        this.minBytesPerSecond = minBytesPerSecond;
        this.json = json;
        this.parsing = parsing;
    }

    /**
     * The body, which must be one JSON object. Fails with status 415 for another content type or encoding, 413 for
     * too many bytes (at once where the length is declared), 503 where there is no memory for it or it was so slow that
     * others were preferred, 408 for a body that comes too slowly, and as {@link WireJson#readObject} for what is not
     * JSON.
     */
    public Mono<JsonNode> read(ServerRequest request) {
        return Mono.defer(() -> {
            requireJson(request.headers().asHttpHeaders());
            long length = request.headers().asHttpHeaders().getContentLength();
            requireLength(length);
            Permit permit = AdmissionFilter.permit(request);
            Mono<Body> displaced = Mono.fromFuture(
                            permit.receive(Replies.client(request).name()), true)
                    .cast(Body.class);
            permit.hold(Math.max(0, length)); // is there room for all of it?
            permit.hold(0);
            Body body = new Body(permit);
            Mono<Body> complete = request.body(BodyExtractors.toDataBuffers())
                    .doOnNext(body::add)
                    .then(Mono.just(body))
                    .timeout(tooLate(body))
                    .onErrorMap(TimeoutException.class, e -> tooSlow(body));
            return Mono.firstWithSignal(complete, displaced)
                    .doOnNext(arrived -> permit.received())
                    .publishOn(parsing)
                    .map(arrived -> json.readObject(arrived.bytes.getInputStream()));
        });
    }

    /** Ends with the first time of this length in which a body neither was completed nor came fast enough. */
    private Mono<Long> tooLate(Body body) {
        long least = (long) (minBytesPerSecond * (properties.bodyTimeout().toMillis() / MILLIS_PER_SECOND));
        return Flux.interval(properties.bodyTimeout())
                .onBackpressureDrop()
                .filter(tick -> body.comingSinceLastTime() < least)
                .next();
    }

    /** What has come of a body. The pieces are copied, as each may keep a much larger buffer. */
    private final class Body {

        private final FastByteArrayOutputStream bytes = new FastByteArrayOutputStream();
        private final Permit permit;
        private volatile int size;
        private int seen;

        private Body(Permit permit) {
            this.permit = permit;
        }

        private void add(DataBuffer piece) {
            try {
                int more = size + piece.readableByteCount();
                if (more > properties.maxBodyBytes()) {
                    throw tooLarge("more than " + properties.maxBodyBytes());
                }
                permit.progress(more);
                if (steps(more) > steps(size)) {
                    permit.hold((long) steps(more) * STEP);
                }
                byte[] copy = new byte[piece.readableByteCount()];
                piece.read(copy);
                bytes.write(copy);
                size = more;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } finally {
                DataBufferUtils.release(piece);
            }
        }

        private int comingSinceLastTime() {
            int now = size;
            int more = now - seen;
            seen = now;
            return more;
        }

        private static int steps(int size) {
            return (size + STEP - 1) / STEP;
        }
    }

    private static void requireJson(HttpHeaders headers) {
        String given = headers.getFirst(HttpHeaders.CONTENT_TYPE);
        if (given == null || !isJson(given)) {
            throw new ResponseStatusException(
                    HttpStatus.UNSUPPORTED_MEDIA_TYPE,
                    "The content type is " + (given == null ? "missing" : "'" + JsonField.shorten(given) + "'")
                            + " but must be application/json in UTF-8.");
        }
        List<String> encodings = headers.getOrEmpty(HttpHeaders.CONTENT_ENCODING);
        if (encodings.stream().anyMatch(encoding -> !encoding.equalsIgnoreCase("identity"))) {
            throw new ResponseStatusException(
                    HttpStatus.UNSUPPORTED_MEDIA_TYPE,
                    "The content encoding is '" + JsonField.shorten(String.join(", ", encodings))
                            + "' but the body must not be encoded.");
        }
    }

    private static boolean isJson(String contentType) {
        try {
            MediaType type = MediaType.parseMediaType(contentType);
            boolean json = type.isCompatibleWith(MediaType.APPLICATION_JSON)
                    || (type.getType().equals("application") && "json".equals(type.getSubtypeSuffix()));
            String charset = type.getParameter("charset");
            return json && type.isConcrete() && (charset == null || isUtf8(charset));
        } catch (InvalidMediaTypeException e) {
            return false;
        }
    }

    private static boolean isUtf8(String charset) {
        String name = charset.replace("\"", "");
        return name.equalsIgnoreCase("utf-8") || name.equalsIgnoreCase("utf8");
    }

    private void requireLength(long contentLength) {
        if (contentLength > properties.maxBodyBytes()) {
            throw tooLarge(Long.toString(contentLength));
        }
    }

    private ResponseStatusException tooLarge(String given) {
        return new ResponseStatusException(
                HttpStatus.PAYLOAD_TOO_LARGE,
                "The body has " + given + " bytes but may have at most " + properties.maxBodyBytes() + ".");
    }

    private ResponseStatusException tooSlow(Body body) {
        long timeout = properties.bodyTimeout().toMillis();
        return new ResponseStatusException(
                HttpStatus.REQUEST_TIMEOUT,
                "The body did not arrive within " + timeout + " ms"
                        + (body.size < minBytesPerSecond
                                ? "."
                                : ", nor " + minBytesPerSecond + " bytes a second of it."));
    }
}
