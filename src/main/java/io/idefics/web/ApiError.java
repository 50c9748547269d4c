package io.idefics.web;

import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatusCode;

/**
 * An error as a client sees it.
 *
 * @param status the HTTP status, where nothing has been sent yet
 * @param headers further headers, as {@code retry-after}
 * @param detail the body
 */
public record ApiError(HttpStatusCode status, HttpHeaders headers, Detail detail) {

    /** The body: {@code {"error": {...}}}. */
    public Envelope envelope() {
        return new Envelope(detail);
    }

    /**
     * The outer object of every error body.
     *
     * @param error the error
     */
    public record Envelope(Detail error) {}

    /**
     * OpenAI's error object; all four keys are always written.
     *
     * @param message what was wrong, the given value and the limit
     * @param type {@code invalid_request_error} or {@code server_error}
     * @param param the path of the offending field
     * @param code a machine-readable reason
     */
    public record Detail(
            @JsonProperty("message") String message,
            @JsonProperty("type") String type,
            @JsonProperty("param") @Nullable String param,
            @JsonProperty("code") @Nullable String code) {}
}
