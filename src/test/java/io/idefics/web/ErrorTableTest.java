package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.http.HttpStatusCode;
import org.springframework.web.server.ResponseStatusException;

class ErrorTableTest {

    @ParameterizedTest
    @CsvSource(
            nullValues = "-",
            value = {
                "INVALID_VALUE, 400, invalid_request_error, invalid_value, -",
                "UNSUPPORTED_PARAMETER, 400, invalid_request_error, unsupported_parameter, -",
                "CONTEXT_LENGTH_EXCEEDED, 400, invalid_request_error, context_length_exceeded, messages",
                "UNAUTHENTICATED, 401, invalid_request_error, invalid_api_key, -",
                "FORBIDDEN, 403, invalid_request_error, permission_denied, -",
                "RATE_LIMITED, 429, rate_limit_error, rate_limit_exceeded, -",
                "MODEL_NOT_FOUND, 404, invalid_request_error, model_not_found, model",
                "INVALID_IMAGE_URL, 400, invalid_request_error, invalid_image_url, -",
                "INVALID_IMAGE_FORMAT, 400, invalid_request_error, invalid_image_format, -",
                "IMAGE_TOO_LARGE, 400, invalid_request_error, image_too_large, -",
                "OVERLOADED, 503, server_error, overloaded, -",
                "MODEL_NOT_READY, 503, server_error, model_not_ready, -",
                "INTERNAL, 500, server_error, internal_error, -"
            })
    void of_errorType_givesItsRow(ErrorType type, int status, String kind, String code, String param) {
        ApiError error = ErrorTable.of(new GenerationException(type, "why", null));

        assertThat(error.status().value()).isEqualTo(status);
        assertThat(error.detail().type()).isEqualTo(kind);
        assertThat(error.detail().code()).isEqualTo(code);
        assertThat(error.detail().param()).isEqualTo(param);
        assertThat(error.headers().getFirst("retry-after")).isEqualTo(status == 503 ? "1" : null);
        assertThat(error.headers().getFirst("x-should-retry"))
                .isEqualTo(status == 500 || status == 429 ? "false" : null);
        assertThat(error.headers().getFirst("www-authenticate")).isEqualTo(status == 401 ? "Bearer" : null);
    }

    @Test
    void of_rateLimitedForAWhile_tellsWhenToRetry() {
        ApiError error = ErrorTable.of(GenerationException.rateLimited("why", Duration.ofMillis(1001)));

        assertThat(error.headers().getFirst("retry-after")).isEqualTo("2");
        assertThat(error.headers().getFirst("retry-after-ms")).isEqualTo("1001");
        assertThat(error.headers().getFirst("x-should-retry")).isNull();
    }

    @ParameterizedTest
    @EnumSource(ErrorType.class)
    void of_clientMistake_isNoStatusThatClientsRepeat(ErrorType type) {
        ApiError error = ErrorTable.of(new GenerationException(type, "why", "a.b"));

        if (error.detail().type().equals("invalid_request_error")) {
            assertThat(error.status().value()).isBetween(400, 499).isNotIn(408, 409, 429);
            assertThat(error.detail().param()).isEqualTo("a.b");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "400, invalid_request, invalid_request_error",
        "401, invalid_api_key, invalid_request_error",
        "403, permission_denied, invalid_request_error",
        "429, rate_limit_exceeded, rate_limit_error",
        "404, unknown_url, invalid_request_error",
        "405, method_not_allowed, invalid_request_error",
        "406, not_acceptable, invalid_request_error",
        "408, request_timeout, invalid_request_error",
        "413, body_too_large, invalid_request_error",
        "414, url_too_long, invalid_request_error",
        "415, unsupported_media_type, invalid_request_error",
        "431, headers_too_large, invalid_request_error",
        "501, internal_error, server_error",
        "503, overloaded, server_error"
    })
    void of_frameworkStatus_keepsItAndGivesACode(int status, String code, String type) {
        ApiError error = ErrorTable.of(new ResponseStatusException(HttpStatusCode.valueOf(status)));

        assertThat(error.status().value()).isEqualTo(status);
        assertThat(error.detail().code()).isEqualTo(code);
        assertThat(error.detail().type()).isEqualTo(type);
        assertThat(error.detail().message()).isNotBlank();
    }

    @Test
    void of_unknownFailure_hidesIt() {
        ApiError error = ErrorTable.of(new OutOfMemoryError("secret"));

        assertThat(error.status().value()).isEqualTo(500);
        assertThat(error.detail().message()).doesNotContain("secret");
    }
}
