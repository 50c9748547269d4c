package io.idefics.web.anthropic;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.idefics.web.ApiError;
import io.idefics.web.ErrorDialect;
import io.idefics.web.Frame;
import org.springframework.http.HttpStatusCode;

/**
 * Errors in Anthropic's shape and with its statuses: a service that is busy answers 529.
 *
 * @param requestId the id by which the client and the log know the request
 */
record AnthropicErrors(String requestId) implements ErrorDialect {

    private static final HttpStatusCode OVERLOADED = HttpStatusCode.valueOf(529);

    /** Anthropic's {@code ErrorResponse}. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Envelope(String type, Detail error, String requestId) {}

    /** Anthropic's error object. */
    record Detail(String type, String message) {}

    @Override
    public Written write(ApiError error) {
        HttpStatusCode status = error.status().value() == 503 ? OVERLOADED : error.status();
        return new Written(status, error.headers(), envelope(error));
    }

    /** An error after the first event of a stream. */
    Frame frame(ApiError error) {
        return new Frame("error", envelope(error));
    }

    private Envelope envelope(ApiError error) {
        return new Envelope("error", new Detail(type(error.status()), message(error.detail())), requestId);
    }

    private static String type(HttpStatusCode status) {
        return switch (status.value()) {
            case 401 -> "authentication_error";
            case 403 -> "permission_error";
            case 404 -> "not_found_error";
            case 408 -> "timeout_error";
            case 413 -> "request_too_large";
            case 429 -> "rate_limit_error";
            case 503 -> "overloaded_error";
            default -> status.is5xxServerError() ? "api_error" : "invalid_request_error";
        };
    }

    /** There is no other place for the path of the offending field. */
    private static String message(ApiError.Detail detail) {
        return detail.param() == null || detail.message().contains(detail.param())
                ? detail.message()
                : detail.param() + ": " + detail.message();
    }
}
