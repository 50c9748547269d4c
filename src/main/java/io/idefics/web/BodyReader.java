package io.idefics.web;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.admission.Permit;
import java.util.List;
import java.util.concurrent.TimeoutException;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferLimitException;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.InvalidMediaTypeException;
import org.springframework.http.MediaType;
import org.springframework.web.reactive.function.BodyExtractors;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.server.ResponseStatusException;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/** Reads a JSON body within limits of size and time. */
public final class BodyReader {

    private final WebProperties properties;
    private final WireJson json;
    private final Scheduler parsing;

    /**
     * Makes a reader.
     *
     * @param parsing where bodies are parsed, since a large one would hold up the event loop and the streams on it
     */
    public BodyReader(WebProperties properties, WireJson json, Scheduler parsing) {
        this.properties = properties;
        this.json = json;
        this.parsing = parsing;
    }

    /**
     * The body, which must be one JSON object. Fails with status 415 for another content type or encoding, 413 for
     * too many bytes (at once where the length is declared), 503 where there is no memory for it, 408 for a body that
     * comes too slowly, and as {@link WireJson#readObject} for what is not JSON.
     */
    public Mono<JsonNode> read(ServerRequest request) {
        return Mono.defer(() -> {
            requireJson(request.headers().asHttpHeaders());
            long length = request.headers().asHttpHeaders().getContentLength();
            requireLength(length);
            Permit permit = AdmissionFilter.permit(request);
            permit.hold(length >= 0 ? length : properties.maxBodyBytes());
            return DataBufferUtils.join(request.body(BodyExtractors.toDataBuffers()), properties.maxBodyBytes())
                    .timeout(properties.bodyTimeout())
                    .onErrorMap(DataBufferLimitException.class, e -> tooLarge("more than " + properties.maxBodyBytes()))
                    .onErrorMap(TimeoutException.class, e -> tooSlow())
                    .map(BodyReader::bytes)
                    .defaultIfEmpty(new byte[0])
                    .doOnNext(bytes -> permit.hold(bytes.length))
                    .publishOn(parsing)
                    .map(json::readObject);
        });
    }

    /** Copies the body, so that nothing is left to release if the client goes before it is parsed. */
    private static byte[] bytes(DataBuffer body) {
        try {
            byte[] bytes = new byte[body.readableByteCount()];
            body.read(bytes);
            return bytes;
        } finally {
            DataBufferUtils.release(body);
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

    private ResponseStatusException tooSlow() {
        return new ResponseStatusException(
                HttpStatus.REQUEST_TIMEOUT,
                "The body did not arrive within " + properties.bodyTimeout().toMillis() + " ms.");
    }
}
