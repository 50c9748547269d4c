package io.idefics.web;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RequestIdIT extends WebServerTest {

    @ParameterizedTest
    @ValueSource(strings = {"/", "/nope", "/v1/models", "/v1/models/nope", "/actuator/health", "/v3/api-docs", CHAT})
    void anyPath_idOfTheClient_comesBackOnce(String path) {
        client.get()
                .uri(path)
                .header("X-Request-Id", "my-id.1")
                .exchange()
                .expectHeader()
                .valueEquals("x-request-id", "my-id.1")
                .expectHeader()
                .valueEquals("x-content-type-options", "nosniff");
    }

    @Test
    void anyPath_harmfulId_isReplaced() {
        client.get()
                .uri("/v1/models")
                .header("X-Request-Id", "a\tb<script>")
                .exchange()
                .expectHeader()
                .valueMatches("x-request-id", "req_[0-9a-f]{32}");
    }
}
