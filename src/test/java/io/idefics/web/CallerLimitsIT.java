package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.admission.ApiKey;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Limit;
import io.idefics.admission.Limits;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Work;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import org.springframework.test.context.TestPropertySource;
import org.springframework.test.web.reactive.server.EntityExchangeResult;
import org.springframework.test.web.reactive.server.WebTestClient;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** What each caller may do: every test has a key of its own, and so limits that no other test has touched. */
@TestPropertySource(
        properties = {
            "idefics.limits.requests-per-minute=50",
            "idefics.limits.tokens-per-minute=1000",
            "idefics.limits.pictures-per-minute=10"
        })
class CallerLimitsIT extends WebServerTest {

    private static final List<String> KEYS =
            List.of("plain", "openai", "anthropic", "tgi", "models", "body", "tokens", "pictures", "busy", "off");

    private static final String MESSAGES = "/v1/messages";
    private static final String MESSAGE =
            "{\"model\":\"org/mini-model\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    private static final String INPUTS = "{\"inputs\":\"hi\"}";

    @Autowired
    Limits limits;

    @Autowired
    ConcurrencyLimiter concurrency;

    @DynamicPropertySource
    static void keys(DynamicPropertyRegistry properties) {
        for (int i = 0; i < KEYS.size(); i++) {
            String name = KEYS.get(i);
            String prefix = "idefics.access.keys[" + i + "].";
            properties.add(prefix + "name", () -> name);
            properties.add(prefix + "hash", () -> ApiKey.hashOf(name));
            if (List.of("openai", "anthropic", "tgi", "models", "body").contains(name)) {
                properties.add(prefix + "limits.requests-per-minute", () -> 2);
            }
            if (name.equals("busy")) {
                properties.add(prefix + "limits.concurrent-requests", () -> 1);
            }
            if (name.equals("off")) {
                properties.add(prefix + "limits.requests-per-minute", () -> 0);
                properties.add(prefix + "limits.tokens-per-minute", () -> 0);
                properties.add(prefix + "limits.pictures-per-minute", () -> 0);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"200, false", "200, true", "400, false", "404, false", "500, false"})
    void answer_anyStatus_tellsWhatIsLeft(int status, boolean stream) {
        if (status == 500) {
            service.script(request -> Flux.error(new IllegalStateException("x")));
        }
        String path = status == 404 ? "/v1/nothing" : CHAT;
        String body = status == 400 ? "{" : stream ? HELLO_STREAM : HELLO;

        HttpHeaders headers = answer("plain", path, body, status).getResponseHeaders();

        assertThat(headers.getFirst("x-ratelimit-limit-requests")).isEqualTo("50");
        assertThat(headers.getFirst("x-ratelimit-remaining-requests")).matches("4[0-9]");
        assertThat(headers.getFirst("x-ratelimit-reset-requests")).matches("[0-9]{1,2}s|1m0s");
        assertThat(headers.getFirst("x-ratelimit-limit-tokens")).isEqualTo("1000");
        assertThat(headers.getFirst("x-ratelimit-remaining-tokens")).isEqualTo("1000");
        assertThat(headers.getFirst("x-ratelimit-reset-tokens")).isEqualTo("0s");
        assertThat(headers.getFirst("x-ratelimit-limit-pictures")).isEqualTo("10");
        assertThat(headers.toSingleValueMap().keySet())
                .noneMatch(name -> name.toLowerCase(java.util.Locale.ROOT).startsWith("anthropic"));
    }

    @Test
    void request_overTheLimit_isRefusedInOpenAisShape() {
        long refused = limits.refused(Limit.REQUESTS);
        answer("openai", CHAT, HELLO, 200);
        answer("openai", CHAT, HELLO, 200);

        EntityExchangeResult<byte[]> result = answer("openai", CHAT, HELLO, 429);

        assertRetryAfter(result.getResponseHeaders());
        assertThat(result.getResponseHeaders().getFirst("x-ratelimit-remaining-requests"))
                .isEqualTo("0");
        JsonNode error = error(Objects.requireNonNull(result.getResponseBody()));
        assertThat(error.get("type").asText()).isEqualTo("rate_limit_error");
        assertThat(error.get("code").asText()).isEqualTo("rate_limit_exceeded");
        assertThat(error.get("message").asText())
                .matches("The limit of 2 requests a minute is reached; try again in ([0-9]{1,2}s|1m0s)\\.");
        assertThat(limits.refused(Limit.REQUESTS)).isEqualTo(refused + 1);
    }

    @Test
    void request_overTheLimit_isRefusedInAnthropicsShape() {
        answer("anthropic", MESSAGES, MESSAGE, 200);
        HttpHeaders headers = answer("anthropic", MESSAGES, MESSAGE, 200).getResponseHeaders();
        assertThat(headers.getFirst("anthropic-ratelimit-requests-limit")).isEqualTo("2");
        assertThat(headers.getFirst("anthropic-ratelimit-requests-remaining")).isEqualTo("0");
        assertThat(Instant.parse(headers.getFirst("anthropic-ratelimit-requests-reset")))
                .isBetween(Instant.now().minusSeconds(1), Instant.now().plusSeconds(62));
        assertThat(headers.getFirst("anthropic-ratelimit-tokens-limit")).isEqualTo("1000");

        EntityExchangeResult<byte[]> result = answer("anthropic", MESSAGES, MESSAGE, 429);

        assertRetryAfter(result.getResponseHeaders());
        JsonNode body = json(new String(Objects.requireNonNull(result.getResponseBody()), StandardCharsets.UTF_8));
        assertThat(body.at("/type").asText()).isEqualTo("error");
        assertThat(body.at("/error/type").asText()).isEqualTo("rate_limit_error");
    }

    @Test
    void request_overTheLimit_isRefusedInTheShapeOfTgi() {
        answer("tgi", "/generate", INPUTS, 200);
        answer("tgi", "/generate", INPUTS, 200);

        EntityExchangeResult<byte[]> result = answer("tgi", "/generate", INPUTS, 429);

        assertRetryAfter(result.getResponseHeaders());
        JsonNode body = json(new String(Objects.requireNonNull(result.getResponseBody()), StandardCharsets.UTF_8));
        assertThat(body.get("error_type").asText()).isEqualTo("overloaded");
        assertThat(body.get("error").asText()).startsWith("The limit of 2 requests a minute is reached");
    }

    @Test
    void request_toAnyEndpointOfTheApi_counts() {
        get("models", "/v1/models").expectStatus().isOk();
        get("models", "/v1/models/other").expectStatus().isOk();
        get("models", "/v1/models").expectStatus().isEqualTo(429);
        get("models", "/info").expectStatus().isEqualTo(429);
        get("models", "/health").expectStatus().isOk().expectHeader().doesNotExist("x-ratelimit-limit-requests");
        get("models", "/v3/api-docs").expectStatus().isOk();
        get("models", "/actuator/health/liveness").expectStatus().isOk();
    }

    @Test
    void request_overTheLimit_isRefusedBeforeItsBodyComes() throws IOException {
        answer("body", CHAT, HELLO, 200);
        answer("body", CHAT, HELLO, 200);

        try (Socket socket = new Socket("localhost", port)) {
            socket.setSoTimeout((int) PATIENCE.toMillis());
            OutputStream out = socket.getOutputStream();
            out.write(("POST " + CHAT + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                            + "Authorization: Bearer body\r\nContent-Length: 50000000\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            out.flush();

            assertThat(new String(socket.getInputStream().readNBytes(13), StandardCharsets.US_ASCII))
                    .isEqualTo("HTTP/1.1 429 ");
        }
    }

    @Test
    void tokens_usedUpByAStream_refuseTheNextRequestButNotTheStream() {
        service.script(request -> {
            request.client().account().charge(1200);
            return ScriptedCompletionService.echo(request);
        });
        assertThat(new String(Objects.requireNonNull(
                        answer("tokens", CHAT, HELLO_STREAM, 200).getResponseBody())))
                .endsWith("data: [DONE]\n\n");

        EntityExchangeResult<byte[]> result = answer("tokens", CHAT, "not even read", 429);

        assertRetryAfter(result.getResponseHeaders());
        assertThat(result.getResponseHeaders().getFirst("x-ratelimit-remaining-tokens"))
                .isEqualTo("0");
        assertThat(result.getResponseHeaders().getFirst("x-ratelimit-reset-tokens"))
                .matches("1m[0-9]{1,2}s|2m0s");
        assertThat(error(Objects.requireNonNull(result.getResponseBody()))
                        .get("message")
                        .asText())
                .startsWith("The limit of 1000 tokens a minute is reached; try again in ");
        get("tokens", "/v1/models").expectStatus().isOk();
    }

    @Test
    void pictures_beyondWhatIsLeft_areRefusedWithTheTimeAndBeyondTheLimitForGood() {
        service.script(
                request -> reserving(request, request.stopping().maxTokens().orElse(0)));

        answer("pictures", CHAT, withPictures(7), 200);
        EntityExchangeResult<byte[]> later = answer("pictures", CHAT, withPictures(4), 429);
        assertRetryAfter(later.getResponseHeaders());
        assertThat(error(Objects.requireNonNull(later.getResponseBody()))
                        .get("message")
                        .asText())
                .startsWith("The request has 4 pictures but of the limit of 10 pictures a minute only 3 are left;");
        EntityExchangeResult<byte[]> never = answer("pictures", CHAT, withPictures(11), 429);
        assertThat(never.getResponseHeaders().getFirst("x-should-retry")).isEqualTo("false");
        assertThat(never.getResponseHeaders().getFirst("retry-after")).isNull();
        answer("pictures", CHAT, withPictures(3), 200);
        answer("pictures", CHAT, HELLO, 200);
    }

    /** As many pictures are asked for as tokens, so that the script knows. */
    private static String withPictures(int pictures) {
        return HELLO.replace("}]}", "}],\"max_tokens\":" + pictures + "}");
    }

    private static Flux<GenerationEvent> reserving(GenerationRequest request, int pictures) {
        return Mono.fromCompletionStage(request.client().account().reserve(new Work(1, 1, pictures)))
                .thenMany(ScriptedCompletionService.echo(request));
    }

    @Test
    void concurrentRequests_beyondTheLimit_areRefusedWith429UntilThePlaceIsFree() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        service.script(request -> Flux.<GenerationEvent>never().doOnRequest(n -> asked.countDown()));

        try (Socket socket = new Socket("localhost", port)) {
            socket.getOutputStream()
                    .write(("POST " + CHAT + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                    + "Authorization: Bearer busy\r\nContent-Length: " + HELLO.length() + "\r\n\r\n"
                                    + HELLO)
                            .getBytes(StandardCharsets.US_ASCII));
            assertThat(asked.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            await().atMost(PATIENCE).until(() -> concurrency.requests() == 1);

            EntityExchangeResult<byte[]> result = answer("busy", CHAT, HELLO, 429);

            assertThat(result.getResponseHeaders().getFirst("retry-after")).isEqualTo("1");
            assertThat(error(Objects.requireNonNull(result.getResponseBody()))
                            .get("message")
                            .asText())
                    .isEqualTo(
                            "The limit of 1 requests at the same time is reached; try again when one of them has ended.");
            assertThat(concurrency.requests()).isEqualTo(1);
            service.reset();
            answer("plain", CHAT, HELLO, 200);
        }
        await().atMost(PATIENCE).untilAsserted(() -> answer("busy", CHAT, HELLO, 200));
    }

    @Test
    void limits_thatAreOff_haveNoHeaders() {
        HttpHeaders headers = answer("off", CHAT, HELLO, 200).getResponseHeaders();

        assertThat(headers.toSingleValueMap().keySet()).noneMatch(name -> name.contains("ratelimit"));
    }

    private static void assertRetryAfter(HttpHeaders headers) {
        assertThat(Integer.parseInt(headers.getFirst("retry-after"))).isBetween(1, 120);
        assertThat(Long.parseLong(headers.getFirst("retry-after-ms"))).isBetween(1L, 120_000L);
        assertThat(headers.getFirst("x-request-id")).isNotBlank();
    }

    private EntityExchangeResult<byte[]> answer(String key, String path, String body, int status) {
        return client.post()
                .uri(path)
                .header(HttpHeaders.AUTHORIZATION, "Bearer " + key)
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(body)
                .exchange()
                .expectStatus()
                .isEqualTo(status)
                .expectBody()
                .returnResult();
    }

    private WebTestClient.ResponseSpec get(String key, String path) {
        return client.get()
                .uri(path)
                .header(HttpHeaders.AUTHORIZATION, "Bearer " + key)
                .exchange();
    }
}
