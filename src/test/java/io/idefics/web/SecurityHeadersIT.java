package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.testing.RawReply;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpHeaders;
import org.springframework.test.context.TestPropertySource;

/** Every answer tells browsers what they may do with it, whichever layer gives it. */
@TestPropertySource(properties = "server.forward-headers-strategy=framework")
class SecurityHeadersIT extends WebServerTest {

    private static final String NOTHING =
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n",
                "GET /actuator/health HTTP/1.1\r\nHost: localhost\r\n",
                "GET /v3/api-docs HTTP/1.1\r\nHost: localhost\r\n",
                "GET /nope HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n",
                "GET /error HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n",
                "TRACE /v1/models HTTP/1.1\r\nHost: localhost\r\n",
                "FOO /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n",
                "OPTIONS /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.test\r\n"
                        + "Access-Control-Request-Method: GET\r\n",
                "GET /v1/models/%zz HTTP/1.1\r\nHost: localhost\r\n",
                "GET /v1/models HTTP/1.1\r\nHost : x\r\n",
                "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nA: \0\r\n"
            })
    void anyRequest_answeredByAnyLayer_hasTheHeaders(String request) {
        RawReply reply = exchange(request);

        assertThat(reply.status()).isPositive();
        assertThat(reply.header("x-content-type-options")).containsExactly("nosniff");
        assertThat(reply.header("x-frame-options")).containsExactly("DENY");
        assertThat(reply.header("referrer-policy")).containsExactly("no-referrer");
        assertThat(reply.header("cross-origin-resource-policy")).containsExactly("same-origin");
        assertThat(reply.header("permissions-policy")).hasSize(1);
        assertThat(reply.header("content-security-policy")).containsExactly(NOTHING);
        assertThat(reply.header("cache-control")).singleElement().asString().contains("no-store");
        assertThat(reply.header("server")).isEmpty();
        assertThat(reply.header("x-powered-by")).isEmpty();
        assertThat(reply.header("access-control-allow-origin")).isEmpty();
        assertThat(reply.header("strict-transport-security")).isEmpty();
        if (reply.status() >= 400) {
            assertThat(reply.header("content-type")).containsExactly("application/json");
            assertThat(reply.json().get("error").fieldNames())
                    .toIterable()
                    .containsExactly("message", "type", "param", "code");
        }
    }

    @Test
    void get_byHttps_asksToStayWithIt() {
        RawReply reply = exchange("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\n");

        assertThat(reply.header("strict-transport-security")).containsExactly("max-age=31536000");
    }

    @Test
    void get_swaggerUi_mayRunItsOwnScriptsAlone() {
        HttpHeaders headers = client.get()
                .uri("/swagger-ui/index.html")
                .exchange()
                .expectStatus()
                .isOk()
                .returnResult(Void.class)
                .getResponseHeaders();

        assertThat(headers.getFirst("Content-Security-Policy"))
                .contains("default-src 'none'", "script-src 'self';", "connect-src 'self'")
                .doesNotContain("script-src 'self' '");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "localhost",
                "LocalHost:8080",
                "app.localhost",
                "127.0.0.1",
                "127.0.0.1:8080",
                "192.168.1.5:80",
                "[::1]",
                "[::1]:8080"
            })
    void host_localOrAnAddress_isServed(String host) {
        assertThat(exchange("GET /v1/models HTTP/1.1\r\nHost: " + host + "\r\n").status())
                .isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "rebound.test",
                "rebound.test:8080",
                "localhost.rebound.test",
                "notlocalhost",
                "127.0.0.1.rebound.test",
                "[rebound.test]",
                "1.2.3",
                ""
            })
    void host_ofAPageThatLeadsItHere_isRefusedWithoutKeys(String host) {
        for (String path : List.of("/v1/models", "/actuator/metrics", "/info")) {
            RawReply reply = exchange("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n");

            assertThat(reply.status()).isEqualTo(403);
            assertThat(reply.raw())
                    .contains("answers requests for localhost or an address only, not for '" + host + "'");
        }
        assertThat(exchange("GET /health HTTP/1.1\r\nHost: " + host + "\r\n").status())
                .isEqualTo(200);
    }

    private RawReply exchange(String request) {
        byte[] bytes = (request + "Connection: close\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
        return RawReply.to(port, bytes, PATIENCE.multipliedBy(3));
    }
}
