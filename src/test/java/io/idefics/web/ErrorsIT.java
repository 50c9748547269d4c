package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpMethod;

/** Refusals that come before any handler: all have the error object and an id, none shows what runs inside. */
class ErrorsIT extends WebServerTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/nope",
                "/nope.html",
                "/v1",
                "/v1/embeddings",
                "/v1/chat/completions/",
                "//v1/chat/completions",
                "/V1/models",
                "/error",
                "/actuator",
                "/actuator/env",
                "/actuator/heapdump",
                "/actuator/loggers",
                "/actuator/beans",
                "/actuator/sbom",
                "/actuator/nope",
                "/webjars/swagger-ui/nope.js",
                "/application.yml",
                "/BOOT-INF/classes/application.yml",
                "/%2e%2e/%2e%2e/etc/passwd",
                "/favicon.ico"
            })
    void get_unknownUrl_isNotFoundInTheErrorObject(String path) {
        var result = client.get()
                .uri(URI.create("http://localhost:" + port + path))
                .header("Accept", "text/html")
                .exchange()
                .expectStatus()
                .isNotFound()
                .expectHeader()
                .contentType("application/json")
                .expectHeader()
                .valueEquals("x-content-type-options", "nosniff")
                .expectHeader()
                .exists("x-request-id")
                .expectBody()
                .returnResult();

        JsonNode error = error(result.getResponseBody());
        assertThat(error.get("code").asText()).isEqualTo("unknown_url");
        assertThat(error.get("type").asText()).isEqualTo("invalid_request_error");
    }

    @ParameterizedTest
    @CsvSource({
        "GET, /v1/chat/completions, POST",
        "DELETE, /v1/chat/completions, POST",
        "OPTIONS, /v1/chat/completions, POST",
        "POST, /v1/models, 'GET,HEAD'",
        "DELETE, /v1/models/a/b, 'GET,HEAD'"
    })
    void anyMethod_notOfThePath_isRefusedWithThoseAllowed(String method, String path, String allowed) {
        var result = client.method(HttpMethod.valueOf(method))
                .uri(path)
                .exchange()
                .expectStatus()
                .isEqualTo(405)
                .expectBody()
                .returnResult();

        assertThat(result.getResponseHeaders().getAllow())
                .extracting(HttpMethod::name)
                .containsExactlyInAnyOrder(allowed.split(","));
        assertThat(error(result.getResponseBody()).get("code").asText()).isEqualTo("method_not_allowed");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "application/xml",
                "application/json; charset=utf-16",
                "*/*",
                "application/*"
            })
    void post_otherContentType_isUnsupported(String type) {
        byte[] body = client.post()
                .uri(CHAT)
                .header("Content-Type", type)
                .bodyValue(HELLO.getBytes(StandardCharsets.UTF_8))
                .exchange()
                .expectStatus()
                .isEqualTo(415)
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(error(body).get("message").asText()).contains(type);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "Content-Type: junk\r\n", "Content-Type: \r\n"})
    void post_noUsableContentType_isUnsupported(String header) throws IOException {
        assertBareError(
                raw("POST " + CHAT + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n"
                        + header + "\r\n{}"),
                415,
                "unsupported_media_type");
    }

    @Test
    void post_compressedBody_isUnsupported() {
        byte[] body = client.post()
                .uri(CHAT)
                .header("Content-Type", "application/json")
                .header("Content-Encoding", "gzip")
                .bodyValue(HELLO.getBytes(StandardCharsets.UTF_8))
                .exchange()
                .expectStatus()
                .isEqualTo(415)
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(error(body).get("message").asText()).contains("gzip");
    }

    @Test
    void head_unknownUrl_hasTheLengthButNoBody() throws IOException {
        assertThat(raw("HEAD /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 404 ")
                .containsIgnoringCase("content-length: 119\r\n")
                .endsWith("\r\n\r\n");
    }

    @ParameterizedTest
    @CsvSource({
        "'GET /v1/models/%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400, invalid_request",
        "'GET /v1/models HTTP/1.1\r\nHost : x\r\n\r\n', 400, invalid_request",
        "'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}', 400,"
                + " invalid_request"
    })
    void anyMethod_malformedHttp_isRefusedInTheErrorObject(String request, int status, String code) throws IOException {
        assertBareError(raw(request), status, code);
    }

    @Test
    void get_longUrl_isRefusedInTheErrorObject() throws IOException {
        assertBareError(raw("GET /" + "x".repeat(9_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414, "url_too_long");
    }

    @Test
    void get_longHeader_isRefusedInTheErrorObject() throws IOException {
        assertBareError(
                raw("GET / HTTP/1.1\r\nHost: localhost\r\nA: " + "x".repeat(17_000) + "\r\n\r\n"),
                431,
                "headers_too_large");
    }

    @Test
    void post_malformedChunk_isRefusedInTheErrorObject() throws IOException {
        assertBareError(
                raw("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
                400,
                "invalid_request");
    }

    private static void assertBareError(String response, int status, String code) {
        assertThat(response).startsWith("HTTP/1.1 " + status + " ").containsIgnoringCase("\r\nx-request-id: ");
        String body = response.substring(response.indexOf("\r\n\r\n") + 4);
        assertThat(error(body.getBytes(StandardCharsets.UTF_8)).get("code").asText())
                .isEqualTo(code);
    }

    /** Sends bytes as they are and reads until the server closes. */
    private String raw(String request) throws IOException {
        try (Socket socket = new Socket("localhost", port)) {
            socket.setSoTimeout((int) PATIENCE.toMillis());
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            InputStream in = socket.getInputStream();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
