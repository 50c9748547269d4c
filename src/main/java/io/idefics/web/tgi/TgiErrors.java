package io.idefics.web.tgi;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.idefics.web.ApiError;
import io.idefics.web.ErrorDialect;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;

/**
 * Errors as text-generation-inference writes them: 422 for what is wrong with a request, 424 for what fails while it is
 * answered, 429 where there is no room. Refusals of the HTTP layer keep their status.
 */
final class TgiErrors implements ErrorDialect {

    static final TgiErrors INSTANCE = new TgiErrors();

    /**
     * The body of an error.
     *
     * @param error what was wrong
     * @param errorType the kind of error, by which clients choose their exception
     */
    record Body(String error, @JsonProperty("error_type") String errorType) {}

    private TgiErrors() {}

    @Override
    public Written write(ApiError error) {
        return new Written(status(error), error.headers(), body(error));
    }

    /** The body alone, as streams tell it. */
    Body body(ApiError error) {
        String message = error.detail().message();
        return switch (String.valueOf(error.detail().code())) {
            case "overloaded", "rate_limit_exceeded" -> new Body(message, "overloaded");
            case "model_not_ready" -> unhealthy(message);
            case "invalid_api_key" -> new Body(message, "authentication");
            case "permission_denied" -> new Body(message, "permission");
            case "internal_error" -> new Body("Request failed during generation: " + message, "generation");
            default -> new Body(isMistake(error) ? "Input validation error: " + message : message, "validation");
        };
    }

    /** The body where no model can answer. */
    static Body unhealthy(String message) {
        return new Body(message, "healthcheck");
    }

    private static HttpStatusCode status(ApiError error) {
        return switch (String.valueOf(error.detail().code())) {
            case "overloaded" -> HttpStatus.TOO_MANY_REQUESTS;
            case "internal_error" -> HttpStatus.FAILED_DEPENDENCY;
            default -> isMistake(error) ? HttpStatus.UNPROCESSABLE_ENTITY : error.status();
        };
    }

    /** Whether a value of the request is wrong; a body that is no JSON at all stays 400. */
    private static boolean isMistake(ApiError error) {
        return error.status().value() == 400
                && !"invalid_request".equals(error.detail().code());
    }
}
