package io.idefics;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.admission.AdmissionProperties;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.service.EngineProbe;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import io.idefics.testing.ImageHost;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** The whole service with its embedded model, booted once for all tests that extend this. */
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT)
public abstract class RunningServer {

    protected static final Duration PATIENCE = Duration.ofSeconds(60);

    /** Serves the whole JVM, as the booted service does. */
    protected static final ImageHost IMAGE_HOST = new ImageHost();

    static final ObjectMapper JSON = new ObjectMapper();

    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @LocalServerPort
    protected int port;

    @Autowired
    protected ModelRegistry registry;

    @Autowired
    protected ConcurrencyLimiter limiter;

    @Autowired
    private AdmissionProperties admission;

    @DynamicPropertySource
    static void allowImageHost(DynamicPropertyRegistry properties) {
        properties.add("idefics.image.allowed-addresses", () -> ImageHost.ADDRESS + "/32");
        properties.add(
                "idefics.image.allowed-ports", () -> "80,443," + IMAGE_HOST.port() + "," + IMAGE_HOST.closedPort());
    }

    @BeforeEach
    void awaitModel() {
        await().atMost(PATIENCE)
                .until(() -> registry.hosts().stream().allMatch(host -> host.state() == ModelHost.State.READY));
    }

    /** Waits until nothing is running, waiting or admitted any more. */
    protected void awaitIdle(Duration patience) {
        await().atMost(patience)
                .until(() -> EngineProbe.isIdle(registry) && limiter.available() == admission.maxConcurrentRequests());
    }

    /** The id of the embedded model. */
    protected String modelId() {
        return registry.hosts().get(0).id();
    }

    HttpResponse<String> post(String body) {
        return postAsync(body).join();
    }

    HttpResponse<String> post(String path, String body) {
        return postAsync(path, body).join();
    }

    CompletableFuture<HttpResponse<String>> postAsync(String body) {
        return postAsync("/v1/chat/completions", body);
    }

    CompletableFuture<HttpResponse<String>> postAsync(String path, String body) {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
                .header("Content-Type", "application/json")
                .timeout(PATIENCE)
                .POST(BodyPublishers.ofString(body))
                .build();
        return CLIENT.sendAsync(request, BodyHandlers.ofString());
    }

    /** A request body of these messages alone, which further fields can be added to. */
    static ObjectNode request(ArrayNode messages) {
        ObjectNode body = JSON.createObjectNode();
        body.set("messages", messages);
        return body;
    }

    /** One user message of a text and pictures before it, by their URLs. */
    static ArrayNode userMessage(String text, String... imageUrls) {
        ArrayNode messages = JSON.createArrayNode();
        ArrayNode content = messages.addObject().put("role", "user").putArray("content");
        for (String url : imageUrls) {
            content.addObject().put("type", "image_url").putObject("image_url").put("url", url);
        }
        content.addObject().put("type", "text").put("text", text);
        return messages;
    }

    static JsonNode json(HttpResponse<String> response) {
        try {
            return JSON.readTree(response.body());
        } catch (IOException e) {
            throw new UncheckedIOException(response.body(), e);
        }
    }

    /** The text of an answer that has to be there. */
    static String text(HttpResponse<String> response) {
        if (response.statusCode() != 200) {
            throw new AssertionError(response.statusCode() + ": " + response.body());
        }
        return json(response).at("/choices/0/message/content").textValue();
    }
}
