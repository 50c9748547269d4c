package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.admission.AccessRefusals;
import io.idefics.admission.AccessRefusals.Reason;
import io.idefics.admission.ApiKey;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import org.springframework.test.web.reactive.server.EntityExchangeResult;
import org.springframework.test.web.reactive.server.WebTestClient;

/** Who is let in to which endpoint with which key, and in which shape the others are told so. */
class AccessIT extends WebServerTest {

    private static final String INFERENCE = "sk-test-inference-0123456789abcdefghijklmno";
    private static final String ADMIN = "sk-test-admin-0123456789abcdefghijklmnopqrs";
    private static final String BOTH = "sk-test-both-0123456789abcdefghijklmnopqrst";
    private static final String BEARER = "Bearer ";

    /** The length of a body that is announced and never sent. */
    private static final String UNSENT = "Content-Length: 52428800\r\n";

    @Autowired
    private AccessRefusals refusals;

    @DynamicPropertySource
    static void addKeys(DynamicPropertyRegistry properties) {
        List<Map.Entry<String, String>> keys = List.of(
                Map.entry(INFERENCE, "inference"), Map.entry(ADMIN, "admin"), Map.entry(BOTH, "inference,admin"));
        for (int i = 0; i < keys.size(); i++) {
            Map.Entry<String, String> key = keys.get(i);
            String place = "idefics.access.keys[" + i + "].";
            properties.add(place + "name", () -> key.getValue().replace(',', '-'));
            properties.add(place + "hash", () -> ApiKey.hashOf(key.getKey()));
            properties.add(place + "scopes", key::getValue);
        }
    }

    /** Every endpoint that asks models or about them. */
    static Stream<Arguments> endpoints() {
        Stream<Arguments> posts = Stream.of(
                        "/v1/chat/completions",
                        "/v1/chat/completions/render",
                        "/v1/chat/completions/input_tokens",
                        "/v1/completions",
                        "/v1/classify",
                        "/v1/responses",
                        "/v1/messages",
                        "/v1/messages/count_tokens",
                        "/tokenize",
                        "/detokenize",
                        "/generate",
                        "/generate_stream",
                        "/chat_tokenize",
                        "/")
                .map(path -> Arguments.of(HttpMethod.POST, path));
        Stream<Arguments> gets = Stream.of("/v1/models", "/v1/models/a/b", "/v1/responses/resp_1", "/info", "/")
                .map(path -> Arguments.of(HttpMethod.GET, path));
        Stream<Arguments> deletes = Stream.of(Arguments.of(HttpMethod.DELETE, "/v1/responses/resp_1"));
        return Stream.of(posts, gets, deletes).flatMap(arguments -> arguments);
    }

    @ParameterizedTest
    @MethodSource("endpoints")
    void endpoint_noKey_isUnauthenticated(HttpMethod method, String path) {
        assertUnauthenticated(path, ask(method, path, Map.of()));
    }

    @ParameterizedTest
    @MethodSource("endpoints")
    void endpoint_unknownKey_isUnauthenticated(HttpMethod method, String path) {
        for (String key : List.of(
                "sk-test-nobody",
                INFERENCE + "x",
                INFERENCE.substring(1),
                INFERENCE.toUpperCase(java.util.Locale.ROOT),
                "null")) {
            assertUnauthenticated(path, ask(method, path, bearer(key)));
        }
    }

    @ParameterizedTest
    @MethodSource("endpoints")
    void endpoint_malformedKey_isUnauthenticated(HttpMethod method, String path) {
        for (String value :
                List.of("", "Bearer", "Basic " + INFERENCE, INFERENCE, BEARER + INFERENCE + " " + INFERENCE)) {
            assertUnauthenticated(path, ask(method, path, Map.of(HttpHeaders.AUTHORIZATION, List.of(value))));
        }
        assertUnauthenticated(
                path,
                ask(method, path, Map.of(HttpHeaders.AUTHORIZATION, List.of(BEARER + INFERENCE, BEARER + INFERENCE))));
    }

    @ParameterizedTest
    @MethodSource("endpoints")
    void endpoint_keyForSomethingElse_isForbidden(HttpMethod method, String path) {
        long before = refusals.total(Reason.SCOPE);
        EntityExchangeResult<byte[]> answer = ask(method, path, bearer(ADMIN));

        assertThat(answer.getStatus().value()).isEqualTo(403);
        assertShape(path, answer, "permission");
        assertThat(refusals.total(Reason.SCOPE)).isEqualTo(before + 1);
        assertThat(service.calls()).isZero();
    }

    @ParameterizedTest
    @MethodSource("endpoints")
    void endpoint_rightKey_isLetIn(HttpMethod method, String path) {
        for (String key : List.of(INFERENCE, BOTH)) {
            assertThat(ask(method, path, bearer(key)).getStatus().value())
                    .isNotIn(401, 403)
                    .isLessThan(500);
        }
    }

    @Test
    void complete_rightKey_isAnsweredForItsHolder() {
        client.post()
                .uri(CHAT)
                .header("authorization", "bEaReR " + BOTH)
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(HELLO)
                .exchange()
                .expectStatus()
                .isOk();

        assertThat(service.lastRequest().client().name()).isEqualTo("key:inference-admin");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/messages", "/v1/messages/count_tokens"})
    void messages_keyInItsOwnHeader_isLetIn(String path) {
        assertThat(ask(HttpMethod.POST, path, Map.of("x-api-key", List.of(INFERENCE)))
                        .getStatus()
                        .value())
                .isNotIn(401, 403);
        assertThat(ask(HttpMethod.POST, path, Map.of("x-api-key", List.of("sk-wrong")))
                        .getStatus()
                        .value())
                .isEqualTo(401);
        assertThat(ask(
                                HttpMethod.POST,
                                path,
                                Map.of("x-api-key", List.of(INFERENCE), "authorization", List.of(BEARER + INFERENCE)))
                        .getStatus()
                        .value())
                .isNotIn(401, 403);
        assertUnauthenticated(
                path,
                ask(
                        HttpMethod.POST,
                        path,
                        Map.of("x-api-key", List.of(INFERENCE), "authorization", List.of(BEARER + BOTH))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/chat/completions", "/v1/responses", "/generate", "/v1/messagesx"})
    void others_keyInAnthropicsHeaderOrTheQuery_isNotSeen(String path) {
        assertUnauthenticated(path, ask(HttpMethod.POST, path, Map.of("X-API-Key", List.of(INFERENCE))));
        assertUnauthenticated(
                path, ask(HttpMethod.POST, path + "?api_key=" + INFERENCE + "&key=" + INFERENCE, Map.of()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/nope",
                "/%76%31/chat/completions",
                "/v1;x=y/chat/completions",
                "/v1/chat;a/completions",
                "//v1/chat/completions",
                "/v1/./chat/completions",
                "/v1/x/../chat/completions",
                "/V1/chat/completions",
                "/v1/chat/completions/",
                "/health/../v1/chat/completions",
                "/health/",
                "/health;/v1/chat/completions",
                "/actuator/health/..;/../v1/chat/completions",
                "/actuator/health/liveness/../../metrics",
                "/v1/chat%2fcompletions",
                "/v1/chat/completions%3f",
                "/actuator",
                "/actuator/health",
                "/actuator/health/readiness/models",
                "/actuator/metrics",
                "/actuator/;/metrics",
                "/%61ctuator/metrics",
                "/actuator;x=y/metrics",
                "/actuator/env",
                "/v3/api-docs.yaml",
                "/swagger-ui/x/y",
                "/error",
                "/.git/config",
                "/%2e%2e/%2e%2e/etc/passwd"
            })
    void anyPath_noKey_isUnauthenticatedWhetherThereOrNot(String path) throws IOException {
        for (String method : List.of("GET", "POST", "HEAD", "PUT", "OPTIONS", "TRACE")) {
            assertThat(raw(method + " " + path
                            + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
                    .as(method)
                    .startsWith("HTTP/1.1 401 ");
        }
        assertThat(service.calls()).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/actuator/metrics",
                "/%61ctuator/metrics",
                "/actuator;x=y/metrics",
                "/actuator/health",
                "/actuator/nope",
                "/actuator"
            })
    void actuator_keyForInference_isForbidden(String path) {
        assertThat(ask(HttpMethod.GET, path, bearer(INFERENCE)).getStatus().value())
                .isEqualTo(403);
        assertThat(ask(HttpMethod.GET, path, bearer(ADMIN)).getStatus().value()).isIn(200, 404);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/actuator/health/liveness",
                "/actuator/health/readiness",
                "/health",
                "/v3/api-docs",
                "/v3/api-docs/swagger-config",
                "/swagger-ui/index.html"
            })
    void openPath_noKey_isReadButNotWritten(String path) throws IOException {
        assertThat(raw("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 200 ");
        assertThat(raw("POST " + path
                        + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
                .startsWith("HTTP/1.1 401 ");
    }

    @Test
    void root_browserWithoutKey_isLedToTheDescription() throws IOException {
        String accept =
                "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/html\r\nContent-Length: 0\r\n\r\n";

        assertThat(raw("GET / " + accept)).startsWith("HTTP/1.1 307 ");
        assertThat(raw("POST / " + accept)).startsWith("HTTP/1.1 401 ");
        assertThat(raw("GET /v1/models " + accept)).startsWith("HTTP/1.1 401 ");
        assertThat(raw("GET / " + accept.replace("text/html", "junk"))).startsWith("HTTP/1.1 401 ");
    }

    @Test
    void preflight_noKey_isAnsweredWithoutOne() {
        assertThat(ask(
                                HttpMethod.OPTIONS,
                                CHAT,
                                Map.of(
                                        "Origin", List.of("https://elsewhere.test"),
                                        "Access-Control-Request-Method", List.of("POST")))
                        .getStatus()
                        .value())
                .isNotEqualTo(401);
        assertThat(service.calls()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "Expect: 100-continue\r\n", "Authorization: Bearer sk-wrong\r\n"})
    void post_noKeyAndUnsentBody_isRefusedAtOnceWithoutAskingForIt(String header) throws IOException {
        try (Socket socket = new Socket("localhost", port)) {
            socket.setSoTimeout((int) PATIENCE.toMillis());
            socket.getOutputStream()
                    .write(("POST " + CHAT + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                    + header + UNSENT + "\r\n")
                            .getBytes(StandardCharsets.US_ASCII));

            String answer = readHead(socket.getInputStream());

            assertThat(answer)
                    .startsWith("HTTP/1.1 401 ")
                    .containsIgnoringCase("www-authenticate: Bearer\r\n")
                    .containsIgnoringCase("x-request-id: ")
                    .containsIgnoringCase("x-content-type-options: nosniff");
        }
    }

    @Test
    void post_keyAndExpectedBody_isAskedForIt() throws IOException {
        try (Socket socket = new Socket("localhost", port)) {
            socket.setSoTimeout((int) PATIENCE.toMillis());
            socket.getOutputStream()
                    .write(("POST " + CHAT
                                    + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer "
                                    + INFERENCE + "\r\nExpect: 100-continue\r\nContent-Length: " + HELLO.length()
                                    + "\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));

            assertThat(readHead(socket.getInputStream())).startsWith("HTTP/1.1 100 ");
            socket.getOutputStream().write(HELLO.getBytes(StandardCharsets.US_ASCII));
            assertThat(readHead(socket.getInputStream())).startsWith("HTTP/1.1 200 ");
        }
    }

    @Test
    void post_noKeyAndWholeBody_leavesTheConnectionUsable() throws IOException {
        String refused = "POST " + CHAT
                + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
                + "{\"a\":\"b\"}";
        String allowed = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
                + INFERENCE + "\r\n\r\n";

        assertThat(raw(refused + allowed)).startsWith("HTTP/1.1 401 ").contains("HTTP/1.1 200 ");
    }

    @Test
    void refusals_byReason_areCounted() {
        Map<Reason, Long> before = totals();

        ask(HttpMethod.GET, "/v1/models", Map.of());
        ask(HttpMethod.GET, "/v1/models", bearer("sk-wrong"));
        ask(HttpMethod.GET, "/v1/models", Map.of("authorization", List.of("Basic x")));

        Map<Reason, Long> after = totals();
        for (Reason reason : List.of(Reason.MISSING, Reason.UNKNOWN, Reason.MALFORMED)) {
            assertThat(after.get(reason)).as(reason.name()).isEqualTo(before.get(reason) + 1);
        }
    }

    private Map<Reason, Long> totals() {
        Map<Reason, Long> totals = new java.util.EnumMap<>(Reason.class);
        for (Reason reason : Reason.values()) {
            totals.put(reason, refusals.total(reason));
        }
        return totals;
    }

    private void assertUnauthenticated(String path, EntityExchangeResult<byte[]> answer) {
        assertThat(answer.getStatus().value()).isEqualTo(401);
        assertThat(answer.getResponseHeaders().get(HttpHeaders.WWW_AUTHENTICATE))
                .containsExactly("Bearer");
        assertThat(answer.getResponseHeaders()).containsKey("x-request-id");
        assertShape(path, answer, "authentication");
        assertThat(service.calls()).isZero();
    }

    /** An error in the shape of the endpoint, which quotes no key. */
    private static void assertShape(String path, EntityExchangeResult<byte[]> answer, String kind) {
        String body = new String(answer.getResponseBody(), StandardCharsets.UTF_8);
        assertThat(body).doesNotContain("sk-");
        JsonNode error = json(body);
        if (path.startsWith("/v1/messages/") || path.equals("/v1/messages")) {
            assertThat(error.at("/type").asText()).isEqualTo("error");
            assertThat(error.at("/error/type").asText()).isEqualTo(kind + "_error");
            assertThat(error.at("/request_id").asText())
                    .isEqualTo(answer.getResponseHeaders().getFirst("request-id"));
        } else if (List.of("/generate", "/generate_stream", "/chat_tokenize", "/info", "/")
                .contains(path.replaceAll("\\?.*", ""))) {
            assertThat(error.at("/error_type").asText()).isEqualTo(kind);
            assertThat(error.at("/error").asText()).contains("API key");
        } else {
            assertThat(error(answer.getResponseBody()).at("/code").asText())
                    .isEqualTo(kind.equals("authentication") ? "invalid_api_key" : "permission_denied");
            assertThat(error.at("/error/type").asText()).isEqualTo("invalid_request_error");
        }
    }

    private EntityExchangeResult<byte[]> ask(HttpMethod method, String path, Map<String, List<String>> headers) {
        WebTestClient.RequestBodySpec request = client.method(method)
                .uri(URI.create("http://localhost:" + port + path))
                .headers(all -> headers.forEach((name, values) -> all.addAll(name, values)));
        if (method == HttpMethod.POST) {
            request.contentType(MediaType.APPLICATION_JSON).bodyValue("{}");
        }
        return request.exchange().expectBody().returnResult();
    }

    private static Map<String, List<String>> bearer(String key) {
        return Map.of(HttpHeaders.AUTHORIZATION, List.of(BEARER + key));
    }

    /** Sends bytes as they are and reads until the server closes. */
    private String raw(String request) throws IOException {
        try (Socket socket = new Socket("localhost", port)) {
            socket.setSoTimeout((int) PATIENCE.toMillis());
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
