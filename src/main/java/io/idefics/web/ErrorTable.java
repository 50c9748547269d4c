package io.idefics.web;

import io.idefics.generation.GenerationException;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;
import org.springframework.web.ErrorResponse;
import org.springframework.web.server.ResponseStatusException;

/**
 * The one table from failures to HTTP: status, type, code and retry headers.
 *
 * <p>Client mistakes are never 408, 409, 429 or 5xx, which OpenAI's clients repeat; the exceptions are 408 for a
 * body that came too slowly and 429 for a client that asks too much. {@code x-should-retry: false} keeps them from repeating what will fail again.
 */
public final class ErrorTable {

    private static final String INVALID_REQUEST = "invalid_request_error";
    private static final String SERVER_ERROR = "server_error";
    private static final String RATE_LIMIT = "rate_limit_error";
    private static final Duration SOON = Duration.ofSeconds(1);
    private static final String HIDDEN = "The service failed to answer this request.";

    private ErrorTable() {}

    /** What a client is told of a failure; faults of the service show nothing of their cause. */
    public static ApiError of(Throwable failure) {
        if (failure instanceof GenerationException exception) {
            return ofGeneration(exception);
        }
        if (failure instanceof ErrorResponse response) {
            return ofFramework(response);
        }
        return internal();
    }

    private static ApiError ofGeneration(GenerationException failure) {
        HttpStatus status = status(failure.type());
        if (status == HttpStatus.INTERNAL_SERVER_ERROR) {
            return internal();
        }
        String code = code(failure.type());
        return new ApiError(
                status,
                headers(failure, status),
                new ApiError.Detail(message(failure), type(status), param(failure), code));
    }

    private static HttpHeaders headers(GenerationException failure, HttpStatus status) {
        HttpHeaders headers = new HttpHeaders();
        switch (status) {
            case UNAUTHORIZED -> headers.set(HttpHeaders.WWW_AUTHENTICATE, "Bearer");
            case SERVICE_UNAVAILABLE -> retryAfter(headers, SOON);
            case TOO_MANY_REQUESTS -> {
                if (failure.retryAfter() == null) {
                    headers.set("x-should-retry", "false");
                } else {
                    retryAfter(headers, failure.retryAfter());
                }
            }
            default -> {
                // nothing to add
            }
        }
        return headers;
    }

    /** In whole seconds (RFC 9110, section 10.2.3), and in milliseconds for OpenAI's clients. */
    private static void retryAfter(HttpHeaders headers, Duration time) {
        long millis = Math.max(1, time.toMillis());
        headers.set(HttpHeaders.RETRY_AFTER, Long.toString((millis + 999) / 1000));
        headers.set("retry-after-ms", Long.toString(millis));
    }

    private static String code(GenerationException.ErrorType type) {
        return switch (type) {
            case UNAUTHENTICATED -> "invalid_api_key";
            case FORBIDDEN -> "permission_denied";
            case RATE_LIMITED -> "rate_limit_exceeded";
            default -> type.name().toLowerCase(Locale.ROOT);
        };
    }

    private static HttpStatus status(GenerationException.ErrorType type) {
        return switch (type) {
            case INVALID_VALUE,
                    UNSUPPORTED_PARAMETER,
                    CONTEXT_LENGTH_EXCEEDED,
                    INVALID_IMAGE_URL,
                    INVALID_IMAGE_FORMAT,
                    IMAGE_TOO_LARGE -> HttpStatus.BAD_REQUEST;
            case UNAUTHENTICATED -> HttpStatus.UNAUTHORIZED;
            case FORBIDDEN -> HttpStatus.FORBIDDEN;
            case MODEL_NOT_FOUND -> HttpStatus.NOT_FOUND;
            case RATE_LIMITED -> HttpStatus.TOO_MANY_REQUESTS;
            case OVERLOADED, MODEL_NOT_READY -> HttpStatus.SERVICE_UNAVAILABLE;
            case INTERNAL -> HttpStatus.INTERNAL_SERVER_ERROR;
        };
    }

    private static @Nullable String param(GenerationException failure) {
        if (failure.param() != null) {
            return failure.param();
        }
        return switch (failure.type()) {
            case CONTEXT_LENGTH_EXCEEDED -> "messages";
            case MODEL_NOT_FOUND -> "model";
            default -> null;
        };
    }

    private static ApiError ofFramework(ErrorResponse response) {
        HttpStatusCode status = response.getStatusCode();
        if (status.value() == HttpStatus.INTERNAL_SERVER_ERROR.value()) {
            return internal();
        }
        ApiError.Detail bare = bare(status);
        String reason = response instanceof ResponseStatusException exception ? exception.getReason() : null;
        String message = reason == null || status.value() == 404 ? bare.message() : reason;
        return new ApiError(
                status, response.getHeaders(), new ApiError.Detail(message, bare.type(), null, bare.code()));
    }

    /** The body for a status that the HTTP layer gave and of which nothing more is known. */
    static ApiError.Detail bare(HttpStatusCode status) {
        HttpStatus known = HttpStatus.resolve(status.value());
        String phrase = known == null ? "status " + status.value() : known.getReasonPhrase();
        String message =
                status.value() == 404 ? "Nothing is served at this URL." : "The request was refused: " + phrase + ".";
        return new ApiError.Detail(message, type(status), null, code(status));
    }

    private static String code(HttpStatusCode status) {
        return switch (status.value()) {
            case 401 -> "invalid_api_key";
            case 403 -> "permission_denied";
            case 404 -> "unknown_url";
            case 405 -> "method_not_allowed";
            case 406 -> "not_acceptable";
            case 408 -> "request_timeout";
            case 413 -> "body_too_large";
            case 414 -> "url_too_long";
            case 415 -> "unsupported_media_type";
            case 429 -> "rate_limit_exceeded";
            case 431 -> "headers_too_large";
            case 503 -> "overloaded";
            default -> status.is5xxServerError() ? "internal_error" : "invalid_request";
        };
    }

    private static String type(HttpStatusCode status) {
        if (status.value() == HttpStatus.TOO_MANY_REQUESTS.value()) {
            return RATE_LIMIT;
        }
        return status.is5xxServerError() ? SERVER_ERROR : INVALID_REQUEST;
    }

    private static ApiError internal() {
        HttpHeaders headers = new HttpHeaders();
        headers.set("x-should-retry", "false");
        return new ApiError(
                HttpStatus.INTERNAL_SERVER_ERROR,
                headers,
                new ApiError.Detail(HIDDEN, SERVER_ERROR, null, "internal_error"));
    }

    private static String message(GenerationException failure) {
        String message = failure.getMessage();
        return message == null || message.isEmpty() ? failure.type().name() : message;
    }
}
