package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.idefics.bench.Outcome.Answer;
import io.idefics.bench.Outcome.Failure;
import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Against a small server that is not ours. */
class HttpTargetTest {

    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String DONE =
            """
            data: {"choices":[{"delta":{"content":"A dog"},"finish_reason":"stop"}]}

            data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}

            data: [DONE]

            """;

    private HttpServer server;
    private int status = 200;
    private String type = "text/event-stream; charset=utf-8";
    private String body = DONE;
    private final CompletableFuture<JsonNode> asked = new CompletableFuture<>();
    private final CompletableFuture<String> key = new CompletableFuture<>();

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/v1/models", exchange -> {
            key.complete(exchange.getRequestHeaders().getFirst("Authorization"));
            reply(exchange, status, "application/json", body);
        });
        server.createContext("/v1/chat/completions", exchange -> {
            asked.complete(JSON.readTree(exchange.getRequestBody()));
            reply(exchange, status, type, body);
        });
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    @Test
    void send_streamedAnswer_isHeard() {
        assertThat(ask(Workloads.text(1))).isInstanceOfSatisfying(Answer.class, answer -> {
            assertThat(answer.text()).isEqualTo("A dog");
            assertThat(answer.usage()).isEqualTo(new TokenUsage(5, 0, 3));
        });
    }

    @Test
    void send_plainWorkload_hasStandardFieldsOnly() {
        ask(Workloads.text(1));
        JsonNode request = asked.join();
        assertThat(request.fieldNames())
                .toIterable()
                .containsExactlyInAnyOrder(
                        "model", "stream", "stream_options", "temperature", "max_tokens", "messages");
        assertThat(request.at("/stream_options/include_usage").booleanValue()).isTrue();
        assertThat(request.at("/messages/0").toString()).isEqualTo("{\"role\":\"system\",\"content\":\"Be brief.\"}");
        assertThat(request.at("/messages/1").toString())
                .isEqualTo("{\"role\":\"user\",\"content\":["
                        + "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\"}},"
                        + "{\"type\":\"text\",\"text\":\"What is it?\"}]}");
    }

    @Test
    void send_temperatureAndMinTokens_areAsked() {
        ask(new Workload(8, 4, 3, ImageMix.parse("0"), null, 32, 0, 1, 0.5, 42));
        assertThat(asked.join().path("min_tokens").intValue()).isEqualTo(3);
        assertThat(asked.join().path("temperature").doubleValue()).isEqualTo(0.5);
        assertThat(asked.join().path("seed").longValue()).isEqualTo(42);
    }

    @Test
    void send_errorStatus_failsWithIt() {
        status = 503;
        type = "application/json";
        body = "{\"error\":{\"message\":\"no room\"}}";
        assertThat(ask(Workloads.text(1))).isInstanceOfSatisfying(Failure.class, failure -> {
            assertThat(failure.status()).isEqualTo("503");
            assertThat(failure.message()).isEqualTo("no room");
        });
    }

    @Test
    void send_answerIsNoStream_fails() {
        type = "application/json";
        body = "{}";
        assertThat(ask(Workloads.text(1))).isInstanceOfSatisfying(Failure.class, failure -> {
            assertThat(failure.status()).isEqualTo("no stream");
            assertThat(failure.message()).isEqualTo("the answer is not an event stream: {}");
        });
    }

    @Test
    void send_streamCutOff_fails() {
        body = DONE.substring(0, 20);
        assertThat(ask(Workloads.text(1))).isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.status())
                .isEqualTo("incomplete"));
    }

    @Test
    void send_nobodyListens_fails() {
        server.stop(0);
        assertThat(ask(Workloads.text(1))).isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.status())
                .isEqualTo("connect"));
    }

    @Test
    void model_notGiven_isTheFirstListed() {
        body = "{\"data\":[{\"id\":\"one\"},{\"id\":\"two\"}]}";
        assertThat(target(null, "secret", Workloads.text(1)).model()).isEqualTo("one");
        assertThat(key).isCompletedWithValue("Bearer secret");
    }

    @Test
    void model_noneListed_isRefused() {
        body = "{\"data\":[]}";
        assertThatThrownBy(() -> target(null, null, Workloads.text(1)))
                .isInstanceOf(TargetException.class)
                .hasMessageContaining("/v1/models lists no model");
    }

    @Test
    void model_noList_isRefused() {
        status = 404;
        body = "nothing here";
        assertThatThrownBy(() -> target(null, null, Workloads.text(1)))
                .isInstanceOf(TargetException.class)
                .hasMessageContaining("answered 404")
                .hasMessageEndingWith("It said: nothing here");
    }

    private Outcome ask(Workload workload) {
        Exchange exchange = new Exchange(System.nanoTime(), System::nanoTime);
        target("mini", null, workload)
                .prepare(List.of(
                        new Message(Role.SYSTEM, List.of(new ContentPart.Text("Be brief."))),
                        new Message(
                                Role.USER,
                                List.of(
                                        new ContentPart.ImageRef("data:x", "url"),
                                        new ContentPart.Text("What is it?")))))
                .send(exchange);
        return exchange.await(PATIENCE);
    }

    private HttpTarget target(@Nullable String model, @Nullable String apiKey, Workload workload) {
        URI url = URI.create("http://localhost:" + server.getAddress().getPort() + "/v1/");
        return new HttpTarget(url, apiKey, model, workload);
    }

    private static void reply(HttpExchange exchange, int status, String type, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
