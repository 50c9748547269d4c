package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.engine.ReplicaState;
import io.idefics.engine.ReplicaStatus;
import io.idefics.service.EngineProbe;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import io.idefics.testing.MiniEvaluation;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** The built-in model in two replicas on the CPU, of which one dies now and then. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ReplicasIT {

    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();

    private ConfigurableApplicationContext context;
    private ModelHost host;

    @BeforeAll
    void boot() {
        context = new SpringApplicationBuilder(IdeficsApplication.class)
                .properties(
                        "server.port=0",
                        "idefics.models[0].path=" + MiniEvaluation.MODEL,
                        "idefics.models[0].id=mini",
                        "idefics.models[0].dtype=float32",
                        "idefics.models[0].replicas=cpu,cpu",
                        "idefics.pool.restart-delay=500ms",
                        "idefics.pool.max-restarts=100")
                .run();
        host = context.getBean(ModelRegistry.class).hosts().get(0);
    }

    @BeforeEach
    void awaitReplicas() {
        await().atMost(PATIENCE).until(() -> ready() == 2);
    }

    @AfterAll
    void stop() {
        context.close();
    }

    @Test
    void service_oneReplicaDies_answersTheSameWithTheOtherUntilItIsBack() {
        String before = answer();
        int restarts = restarts();

        EngineProbe.killOne(host);

        await().atMost(PATIENCE).until(() -> restarts() == restarts + 1);
        assertThat(answer()).isEqualTo(before);
        assertThat(status("/actuator/health/readiness")).isEqualTo(200);
        assertThat(status("/actuator/health/liveness")).isEqualTo(200);
        await().atMost(PATIENCE).until(() -> ready() == 2);
        assertThat(answer()).isEqualTo(before);
        assertThat(answer()).isEqualTo(before);
    }

    @Test
    void service_bothReplicasDie_isOutOfServiceAndComesBack() {
        int restarts = restarts();

        EngineProbe.killOne(host);
        await().atMost(PATIENCE).until(() -> restarts() == restarts + 1);
        EngineProbe.killOne(host);
        await().atMost(PATIENCE).until(() -> restarts() == restarts + 2);

        assertThat(status("/actuator/health/liveness")).isEqualTo(200);
        await().atMost(PATIENCE).until(() -> ready() == 2);
        assertThat(status("/actuator/health/readiness")).isEqualTo(200);
        assertThat(answer()).isNotEmpty();
    }

    @Test
    void models_endpoint_listsTheReplicas() {
        JsonNode model = get("/actuator/models").get("models").get(0);

        assertThat(model.get("id").asText()).isEqualTo("mini");
        assertThat(model.get("state").asText()).isEqualTo("ready");
        assertThat(model.get("replicas")).hasSize(2).allSatisfy(replica -> {
            assertThat(replica.get("devices")).hasToString("[\"cpu\"]");
            assertThat(replica.get("state").asText()).isEqualTo("ready");
            assertThat(replica.has("failure")).isFalse();
            assertThat(replica.get("cache").has("usedBlocks")).isTrue();
        });
    }

    @Test
    void metrics_ofEachReplica_areThere() {
        JsonNode ready = get("/actuator/metrics/idefics.engine.ready?tag=model:mini");

        assertThat(ready.at("/measurements/0/value").asDouble()).isEqualTo(2);
        assertThat(ready.get("description").asText()).isNotEmpty();
        assertThat(get("/actuator/metrics/idefics.engine.ready?tag=replica:1")
                        .at("/measurements/0/value")
                        .asDouble())
                .isEqualTo(1);
        assertThat(get("/actuator/metrics/idefics.engine.restarts")
                        .at("/measurements/0/value")
                        .asInt())
                .isEqualTo(restarts());
        assertThat(get("/actuator/metrics/idefics.engine.step").get("baseUnit").asText())
                .isEqualTo("seconds");
    }

    private long ready() {
        return host.replicas().stream()
                .filter(replica -> replica.state() == ReplicaState.READY)
                .count();
    }

    private int restarts() {
        return host.replicas().stream().mapToInt(ReplicaStatus::restarts).sum();
    }

    private String answer() {
        String body = "{\"messages\":[{\"role\":\"user\",\"content\":\"What is on the far left?\"}],\"max_tokens\":8}";
        HttpResponse<String> response = send(HttpRequest.newBuilder(uri("/v1/chat/completions"))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(body))
                .build());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response).at("/choices/0/message/content").asText();
    }

    private int status(String path) {
        return send(HttpRequest.newBuilder(uri(path)).build()).statusCode();
    }

    private JsonNode get(String path) {
        HttpResponse<String> response = send(HttpRequest.newBuilder(uri(path)).build());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response);
    }

    private URI uri(String path) {
        return URI.create("http://localhost:" + context.getEnvironment().getProperty("local.server.port") + path);
    }

    private static JsonNode json(HttpResponse<String> response) {
        try {
            return JSON.readTree(response.body());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static HttpResponse<String> send(HttpRequest request) {
        try {
            return HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
