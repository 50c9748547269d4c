package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.checkpoint.TestModels;
import io.idefics.model.MemoryLedger;
import io.idefics.service.BlockingClock;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import io.idefics.testing.Settings;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.support.GenericApplicationContext;

/** What the service says while models load, when they are served, and when they cannot be. */
class ModelStatesIT {

    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path CANARY = Path.of(System.getProperty("java.io.tmpdir"), "sec-pickle-canary");
    private static final String HELLO = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":4%s}";

    @TempDir
    private Path models;

    /** A status and a JSON body. */
    private record Reply(int status, JsonNode body) {}

    @Test
    void service_everyModelCorrupt_staysUpAndSaysWhy() throws IOException {
        Map<String, String> reasons = new LinkedHashMap<>();
        corrupt("truncated", "data-short.safetensors", "model.safetensors");
        reasons.put("truncated", "model.safetensors.*tensor \"");
        corrupt("overlapping", "offset-overlap.safetensors", "model.safetensors");
        reasons.put("overlapping", "model.safetensors.*tensor \"");
        corrupt("not-weights", "html-error.safetensors", "model.safetensors");
        reasons.put("not-weights", "model.safetensors");
        corrupt("other-weights", "ok.safetensors", "model.safetensors");
        reasons.put("other-weights", "model.safetensors.*tensor \"model.embed_tokens.weight\" is missing");
        corrupt("malicious", "pickle-os-mkdir.bin", "pytorch_model.bin");
        reasons.put("malicious", "pytorch_model.bin");
        Path cut = TestModels.copy("tiny-f32", directory("cut"));
        byte[] whole = Files.readAllBytes(cut.resolve("model.safetensors"));
        Files.write(cut.resolve("model.safetensors"), Arrays.copyOf(whole, whole.length - 100));
        reasons.put("cut", "model.safetensors.*tensor \"");
        Path missing = TestModels.copy("tiny-f32", directory("missing-tensor"));
        TestModels.edit(missing.resolve("config.json"), config -> config.put("num_hidden_layers", 6));
        reasons.put("missing-tensor", "model.safetensors.*model\\.layers\\.4\\.");
        Path shape = TestModels.copy("tiny-f32", directory("wrong-shape"));
        TestModels.edit(shape.resolve("config.json"), config -> config.put("intermediate_size", 176));
        reasons.put("wrong-shape", "model.safetensors.*mlp\\.[a-z]+_proj\\.weight");
        Path json = TestModels.copy("tiny-f32", directory("bad-json"));
        Files.writeString(json.resolve("config.json"), "{\"vocab_size\": ");
        reasons.put("bad-json", "config.json");
        reasons.put("nowhere", "nowhere: no such model directory");

        try (ConfigurableApplicationContext context = boot(properties(reasons.keySet()))) {
            awaitLoaded(context);

            Reply readiness = get(context, "/actuator/health/readiness");
            assertThat(readiness.status()).isEqualTo(503);
            JsonNode details = readiness.body().at("/components/models/details");
            reasons.forEach((id, reason) -> assertThat(details.path(id).asText())
                    .as(id)
                    .startsWith("failed: " + models.resolve(id))
                    .containsPattern(reason)
                    .hasSizeLessThan(4000));
            assertThat(CANARY).doesNotExist();
            assertThat(get(context, "/actuator/health/liveness").status()).isEqualTo(200);
            Reply list = get(context, "/v1/models");
            assertThat(list.status()).isEqualTo(200);
            assertThat(list.body().get("data")).isEmpty();
            Reply answer = chat(context, "");
            assertThat(answer.status()).isEqualTo(503);
            assertThat(answer.body().at("/error/code").asText()).isEqualTo("model_not_ready");
            assertThat(answer.body().at("/error/type").asText()).isEqualTo("server_error");
        }
    }

    @Test
    void service_twoModels_servesEachByItsId() {
        try (ConfigurableApplicationContext context = boot(List.of(
                "idefics.models[0].path=" + TestModels.golden("tiny-f32"),
                "idefics.models[1].path=" + TestModels.golden("tiny-bin"),
                "idefics.models[1].id=org/tiny",
                "idefics.models[1].dtype=bfloat16",
                "idefics.models[1].device=cpu",
                "idefics.models[1].max-context-length=64"))) {
            awaitLoaded(context);

            assertThat(get(context, "/actuator/health/readiness").status()).isEqualTo(200);
            assertThat(get(context, "/v1/models").body().get("data").findValuesAsText("id"))
                    .containsExactly("tiny-f32", "org/tiny");
            assertThat(get(context, "/v1/models/org/tiny").body().get("id").asText())
                    .isEqualTo("org/tiny");
            assertThat(chat(context, "").body().get("model").asText()).isEqualTo("tiny-f32");
            for (String id : List.of("tiny-f32", "org/tiny")) {
                Reply answer = chat(context, ",\"model\":\"" + id + "\"");
                assertThat(answer.status()).isEqualTo(200);
                assertThat(answer.body().get("model").asText()).isEqualTo(id);
                assertThat(answer.body().at("/usage/completion_tokens").asInt()).isBetween(1, 4);
            }
            Reply tooLong = chat(context, ",\"model\":\"org/tiny\",\"max_completion_tokens\":64");
            assertThat(tooLong.body().at("/error/message").asText())
                    .startsWith("The context length of this model is 64 tokens");
        }
    }

    @Test
    void service_oneOfTwoModelsCorrupt_servesTheOther() {
        corrupt("truncated", "data-short.safetensors", "model.safetensors");
        try (ConfigurableApplicationContext context = boot(List.of(
                "idefics.models[0].path=" + models.resolve("truncated"),
                "idefics.models[1].path=" + TestModels.golden("tiny-f32")))) {
            awaitLoaded(context);

            Reply readiness = get(context, "/actuator/health/readiness");
            assertThat(readiness.status()).isEqualTo(503);
            assertThat(readiness
                            .body()
                            .at("/components/models/details/tiny-f32")
                            .asText())
                    .isEqualTo("ready");
            assertThat(get(context, "/v1/models").body().get("data").findValuesAsText("id"))
                    .containsExactly("tiny-f32");
            assertThat(chat(context, ",\"model\":\"tiny-f32\"").status()).isEqualTo(200);
        }
    }

    @Test
    void service_modelIsLoading_isAliveButNotReady() {
        BlockingClock clock = new BlockingClock();
        try (ConfigurableApplicationContext context = builder(
                        List.of("spring.main.allow-bean-definition-overriding=true"))
                .initializers((GenericApplicationContext c) -> c.registerBean(
                        "modelRegistry", ModelRegistry.class, () -> new ModelRegistry(List.of(host(clock)))))
                .run()) {
            Reply readiness = get(context, "/actuator/health/readiness");
            assertThat(readiness.status()).isEqualTo(503);
            assertThat(readiness
                            .body()
                            .at("/components/models/details/tiny-f32")
                            .asText())
                    .isEqualTo("loading");
            assertThat(get(context, "/actuator/health/liveness").status()).isEqualTo(200);
            assertThat(get(context, "/v1/models").body().get("data")).isEmpty();
            assertThat(chat(context, "").body().at("/error/code").asText()).isEqualTo("model_not_ready");

            clock.release();

            awaitLoaded(context);
            assertThat(get(context, "/actuator/health/readiness").status()).isEqualTo(200);
            assertThat(chat(context, "").status()).isEqualTo(200);
        }
    }

    private static ModelHost host(BlockingClock clock) {
        return new ModelHost(
                Settings.model(TestModels.golden("tiny-f32")),
                Settings.engine(),
                Settings.pool(),
                MemoryLedger.ofMachine(),
                clock);
    }

    /** A model directory that is sound but for its weights. */
    private void corrupt(String id, String weights, String target) {
        Path directory = TestModels.copy("tiny-f32", directory(id));
        try {
            Files.delete(directory.resolve("model.safetensors"));
            Files.copy(TestModels.weights(weights), directory.resolve(target));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private Path directory(String id) {
        try {
            return Files.createDirectory(models.resolve(id));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private List<String> properties(Iterable<String> ids) {
        List<String> properties = new ArrayList<>();
        for (String id : ids) {
            properties.add("idefics.models[" + properties.size() + "].path=" + models.resolve(id));
        }
        return properties;
    }

    private static ConfigurableApplicationContext boot(List<String> properties) {
        return builder(properties).run();
    }

    private static SpringApplicationBuilder builder(List<String> properties) {
        return new SpringApplicationBuilder(IdeficsApplication.class)
                .properties("server.port=0")
                .properties(properties.toArray(String[]::new));
    }

    private static void awaitLoaded(ConfigurableApplicationContext context) {
        await().atMost(PATIENCE).until(() -> context.getBean(ModelRegistry.class).hosts().stream()
                .noneMatch(host -> host.state() == ModelHost.State.LOADING));
    }

    private static Reply get(ConfigurableApplicationContext context, String path) {
        return send(HttpRequest.newBuilder(uri(context, path)).build());
    }

    private static Reply chat(ConfigurableApplicationContext context, String furtherFields) {
        return send(HttpRequest.newBuilder(uri(context, "/v1/chat/completions"))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(HELLO.formatted(furtherFields)))
                .build());
    }

    private static URI uri(ConfigurableApplicationContext context, String path) {
        return URI.create("http://localhost:" + context.getEnvironment().getProperty("local.server.port") + path);
    }

    private static Reply send(HttpRequest request) {
        try {
            HttpResponse<String> response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
            return new Reply(response.statusCode(), JSON.readTree(response.body()));
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
