package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.http.MediaType;
import org.springframework.test.web.reactive.server.WebTestClient;

/** A test against a real server over a scripted service. */
@SpringBootTest(classes = WebTestApplication.class, webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT)
public abstract class WebServerTest {

    protected static final Duration PATIENCE = Duration.ofSeconds(20);
    protected static final String CHAT = "/v1/chat/completions";
    protected static final String HELLO = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    protected static final String HELLO_STREAM =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true}";

    private static final Duration SOON = Duration.ofSeconds(5);
    private static final ObjectMapper JSON = new ObjectMapper();

    @LocalServerPort
    protected int port;

    @Autowired
    protected ScriptedCompletionService service;

    protected WebTestClient client;

    @BeforeEach
    void bindClient() {
        client = WebTestClient.bindToServer()
                .baseUrl("http://localhost:" + port)
                .responseTimeout(PATIENCE)
                .build();
    }

    @AfterEach
    void resetService() {
        service.reset();
    }

    protected WebTestClient.ResponseSpec post(String body) {
        return post(CHAT, body);
    }

    protected WebTestClient.ResponseSpec post(String path, String body) {
        return client.post()
                .uri(path)
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(body)
                .exchange();
    }

    /** The body of a refusal, which must come soon, in JSON, and before the service is asked for anything. */
    protected byte[] refused(MalformedRequest request) {
        byte[] body = client.mutate()
                .responseTimeout(SOON)
                .build()
                .post()
                .uri(request.path())
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(request.body())
                .exchange()
                .expectStatus()
                .isEqualTo(request.status())
                .expectHeader()
                .contentType(MediaType.APPLICATION_JSON)
                .expectHeader()
                .exists("x-request-id")
                .expectBody()
                .returnResult()
                .getResponseBody();
        assertThat(service.calls()).isZero();
        return body;
    }

    /** A message for people, which quotes no more than a little of the request and nothing of the implementation. */
    protected static void assertPlain(String message) {
        assertThat(message)
                .isNotBlank()
                .hasSizeLessThan(300)
                .doesNotContain("Exception", "com.fasterxml", "java.", "at io.idefics");
    }

    /** The error object of a response, which must have all four keys and nothing else. */
    protected static JsonNode error(byte[] body) {
        JsonNode envelope = json(new String(body, StandardCharsets.UTF_8));
        assertThat(envelope.fieldNames()).toIterable().containsExactly("error");
        assertThat(envelope.get("error").fieldNames()).toIterable().containsExactly("message", "type", "param", "code");
        return envelope.get("error");
    }

    protected static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException e) {
            throw new AssertionError("not JSON: " + text, e);
        }
    }

    /** An answer without what differs from run to run, indented. */
    protected static String normalised(JsonNode answer) {
        ObjectNode copy = answer.deepCopy();
        copy.put("id", copy.get("id").asText().replaceAll("^chatcmpl-[0-9a-f]{32}$", "ID"));
        copy.put("created", copy.get("created").isIntegralNumber() ? "TIME" : "NO TIME");
        return copy.toPrettyString();
    }

    /** The status and headers of the next response of a connection, of which nothing more is read. */
    protected static String readHead(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            assertThat(next).as("end after: %s", head).isNotNegative();
            head.append((char) next);
        }
        return head.toString();
    }

    protected static String resource(String path) {
        try (InputStream in = WebServerTest.class.getResourceAsStream(path)) {
            return new String(Objects.requireNonNull(in, path).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(path, e);
        }
    }
}
