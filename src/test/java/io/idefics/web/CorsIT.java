package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.test.context.TestPropertySource;
import org.springframework.test.web.reactive.server.WebTestClient;

/** Pages of the origins that are named may use the API from a browser, others learn nothing. */
@TestPropertySource(
        properties = {
            "idefics.web.cors.allowed-origins=https://chat.example.com,http://localhost:3000",
            "idefics.web.cors.max-age=10m"
        })
class CorsIT extends WebServerTest {

    private static final String PAGE = "https://chat.example.com";

    @ParameterizedTest
    @ValueSource(strings = {PAGE, "http://localhost:3000"})
    void options_allowedOrigin_mayDoWhatOpenAisClientDoes(String origin) {
        HttpHeaders headers = preflight(origin, "POST")
                .expectStatus()
                .isOk()
                .returnResult(Void.class)
                .getResponseHeaders();

        assertThat(headers.getAccessControlAllowOrigin()).isEqualTo(origin);
        assertThat(headers.getAccessControlAllowMethods())
                .containsExactly(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST);
        assertThat(headers.getAccessControlAllowHeaders())
                .contains("authorization", "content-type", "x-stainless-runtime-version");
        assertThat(headers.getAccessControlMaxAge()).isEqualTo(600);
        assertThat(headers.getAccessControlAllowCredentials()).isFalse();
        assertThat(headers.getVary()).contains("Origin");
        assertThat(headers.getFirst("X-Content-Type-Options")).isEqualTo("nosniff");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://evil.test",
                "https://chat.example.com.evil.test",
                "https://evil.test/https://chat.example.com",
                "http://chat.example.com",
                "https://chat.example.com:8443",
                "null"
            })
    void options_otherOrigin_isRefusedAndNotReflected(String origin) {
        WebTestClient.BodyContentSpec refusal =
                preflight(origin, "POST").expectStatus().isForbidden().expectBody();

        assertThat(refusal.returnResult().getResponseHeaders().getAccessControlAllowOrigin())
                .isNull();
        assertThat(refusal.returnResult().getResponseHeaders().toString()).doesNotContain(origin);
        assertThat(error(refusal.returnResult().getResponseBody()).get("code").asText())
                .isEqualTo("permission_denied");
    }

    @Test
    void options_methodOfNoEndpoint_isRefused() {
        preflight(PAGE, "DELETE").expectStatus().isForbidden();
    }

    @Test
    void post_allowedOrigin_mayReadTheHeadersOfTheAnswer() {
        HttpHeaders headers = client.post()
                .uri(CHAT)
                .header("Content-Type", "application/json")
                .header("Origin", PAGE)
                .bodyValue(HELLO)
                .exchange()
                .expectStatus()
                .isOk()
                .returnResult(Void.class)
                .getResponseHeaders();

        assertThat(headers.getAccessControlAllowOrigin()).isEqualTo(PAGE);
        assertThat(headers.getAccessControlExposeHeaders())
                .contains("x-request-id", "openai-processing-ms", "retry-after", "x-ratelimit-remaining-requests");
    }

    @Test
    void post_otherOrigin_isRefusedBeforeTheService() {
        client.post()
                .uri(CHAT)
                .header("Content-Type", "application/json")
                .header("Origin", "https://evil.test")
                .bodyValue(HELLO)
                .exchange()
                .expectStatus()
                .isForbidden();

        assertThat(service.calls()).isZero();
    }

    @Test
    void get_errorForAnAllowedOrigin_canBeRead() {
        HttpHeaders headers = client.get()
                .uri("/nope")
                .header("Origin", PAGE)
                .exchange()
                .expectStatus()
                .isNotFound()
                .returnResult(Void.class)
                .getResponseHeaders();

        assertThat(headers.get("Access-Control-Allow-Origin")).isEqualTo(List.of(PAGE));
    }

    private WebTestClient.ResponseSpec preflight(String origin, String method) {
        return client.options()
                .uri(CHAT)
                .header("Origin", origin)
                .header("Access-Control-Request-Method", method)
                .header("Access-Control-Request-Headers", "authorization,content-type,x-stainless-runtime-version")
                .exchange();
    }
}
