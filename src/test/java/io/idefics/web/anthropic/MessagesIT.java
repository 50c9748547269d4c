package io.idefics.web.anthropic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Permit;
import io.idefics.generation.ContentPart;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Priority;
import io.idefics.generation.Usage;
import io.idefics.web.ScriptedCompletionService;
import io.idefics.web.WebServerTest;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.http.MediaType;
import org.springframework.test.json.JsonCompareMode;
import org.springframework.test.web.reactive.server.WebTestClient;
import reactor.core.publisher.Flux;

/** Answers as they are on the wire, compared with transcripts. */
class MessagesIT extends WebServerTest {

    private static final String MESSAGES = "/v1/messages";
    private static final String COUNT = "/v1/messages/count_tokens";
    private static final String HI = "{\"max_tokens\":8,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    private static final String HI_STREAM =
            "{\"max_tokens\":8,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true}";

    @Autowired
    private ConcurrencyLimiter limiter;

    @Test
    void create_picture_matchesTranscript() {
        String body = text(send(MESSAGES, resource("/contract/messages/picture.request.json"))
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("application/json")
                .expectHeader()
                .valueEquals("cache-control", "no-store")
                .expectHeader()
                .valueEquals("request-id", "mine"));

        assertThat(normalised(body)).isEqualTo(indented("/contract/messages/picture.response.json"));
        assertThat(json(body).get("id").asText()).matches("msg_[0-9a-f]{32}");
        GenerationRequest request = service.lastRequest();
        assertThat(request.prompt().images())
                .containsExactly(
                        new ContentPart.ImageRef("data:image/png;base64,AA==", "messages[0].content[0].source.data"),
                        new ContentPart.ImageRef("http://host/b.png", "messages[0].content[1].source.url"));
        assertThat(request.client().name()).isEqualTo("address:127.0.0.1");
    }

    @Test
    void create_stopSequence_isNamed() {
        service.script(request -> Flux.just(
                new TextDelta(0, "until"),
                new ChoiceEnded(0, FinishReason.STOP_STRING, "END", 3, null),
                new Completed(new Usage(9, 8, 0, 3))));

        assertThat(normalised(text(send(MESSAGES, HI).expectStatus().isOk())))
                .isEqualTo(indented("/contract/messages/stop.response.json"));
        assertThat(neutral(text(send(MESSAGES, HI_STREAM).expectStatus().isOk())))
                .isEqualTo(resource("/contract/messages/stop.response.sse"));
    }

    @Test
    void create_lengthReached_isMaxTokens() {
        service.script(request -> ScriptedCompletionService.answer(new Usage(9, 0, 0, 1), FinishReason.LENGTH, "cut"));

        send(MESSAGES, HI).expectBody().jsonPath("$.stop_reason").isEqualTo("max_tokens");
        assertThat(service.lastRequest().stopping().maxTokens()).hasValue(8);
    }

    /** The scripted prompt has 4 tokens, the scripted context 2048. */
    @ParameterizedTest
    @ValueSource(ints = {2044, 2045})
    void create_moreThanTheContextHolds_fillsTheContext(int maxTokens) {
        service.script(request -> ScriptedCompletionService.answer(new Usage(4, 0, 0, 1), FinishReason.LENGTH, "cut"));

        send(MESSAGES, HI.replace("8", Integer.toString(maxTokens)))
                .expectBody()
                .jsonPath("$.stop_reason")
                .isEqualTo(maxTokens == 2044 ? "max_tokens" : "model_context_window_exceeded");
        assertThat(service.lastRequest().stopping().maxTokens()).hasValue(2044);
    }

    @Test
    void stream_text_matchesTranscript() {
        String body = text(send(MESSAGES, HI_STREAM)
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("text/event-stream")
                .expectHeader()
                .valueEquals("cache-control", "no-cache")
                .expectHeader()
                .valueEquals("request-id", "mine"));

        assertThat(neutral(body)).isEqualTo(resource("/contract/messages/stream.response.sse"));
    }

    @Test
    void stream_errorAfterText_isTheLastEvent() {
        service.script(request -> Flux.concat(
                Flux.just(new TextDelta(0, "half")),
                Flux.error(new GenerationException(ErrorType.OVERLOADED, "no room", null))));

        assertThat(neutral(text(send(MESSAGES, HI_STREAM).expectStatus().isOk())))
                .isEqualTo(resource("/contract/messages/failed.response.sse"));
    }

    @Test
    void stream_faultAfterText_hidesItsCause() {
        service.script(request ->
                Flux.concat(Flux.just(new TextDelta(0, "half")), Flux.error(new IllegalStateException("secret"))));

        String body = text(send(MESSAGES, HI_STREAM).expectStatus().isOk());

        assertThat(body).contains("event: error\n", "\"api_error\"").doesNotContain("secret", "message_stop");
    }

    @Test
    void create_answerWithoutEnd_isAFault() {
        service.script(request -> Flux.just(new TextDelta(0, "half"), new Completed(new Usage(1, 0, 0, 1))));

        send(MESSAGES, HI).expectStatus().isEqualTo(500);
        assertThat(text(send(MESSAGES, HI_STREAM))).contains("event: error\n");
    }

    @ParameterizedTest
    @EnumSource(ErrorType.class)
    void create_serviceFails_answersErrorWithAndWithoutStream(ErrorType type) {
        service.script(request -> Flux.error(new GenerationException(type, "why", "messages")));

        for (String body : List.of(HI, HI_STREAM)) {
            var result = send(MESSAGES, body)
                    .expectHeader()
                    .contentType("application/json")
                    .expectHeader()
                    .valueEquals("request-id", "mine")
                    .expectBody()
                    .returnResult();
            String answer = new String(result.getResponseBody(), StandardCharsets.UTF_8);
            switch (type) {
                case INTERNAL -> {
                    assertThat(result.getStatus().value()).isEqualTo(500);
                    assertError(answer, "api_error", "The service failed to answer this request.");
                    assertThat(result.getResponseHeaders().getFirst("x-should-retry"))
                            .isEqualTo("false");
                }
                case MODEL_NOT_FOUND -> {
                    assertThat(result.getStatus().value()).isEqualTo(404);
                    assertError(answer, "not_found_error", "messages: why");
                }
                case UNAUTHENTICATED -> {
                    assertThat(result.getStatus().value()).isEqualTo(401);
                    assertError(answer, "authentication_error", "messages: why");
                }
                case FORBIDDEN -> {
                    assertThat(result.getStatus().value()).isEqualTo(403);
                    assertError(answer, "permission_error", "messages: why");
                }
                case RATE_LIMITED -> {
                    assertThat(result.getStatus().value()).isEqualTo(429);
                    assertError(answer, "rate_limit_error", "messages: why");
                }
                case OVERLOADED, MODEL_NOT_READY -> {
                    assertThat(result.getStatus().value()).isEqualTo(529);
                    assertError(answer, "overloaded_error", "messages: why");
                    assertThat(result.getResponseHeaders().getFirst("retry-after"))
                            .isEqualTo("1");
                }
                default -> {
                    assertThat(result.getStatus().value()).isEqualTo(400);
                    assertError(answer, "invalid_request_error", "messages: why");
                }
            }
        }
    }

    @Test
    void create_noRoom_isOverloaded() {
        await().atMost(PATIENCE).until(() -> limiter.requests() == 0);
        List<Permit> permits = new ArrayList<>();
        int room = limiter.available();
        for (int i = 0; i < room; i++) {
            permits.add(limiter.acquire(Priority.NORMAL));
        }
        try {
            for (String path : List.of(MESSAGES, COUNT)) {
                String answer = text(send(path, HI)
                        .expectStatus()
                        .isEqualTo(529)
                        .expectHeader()
                        .valueEquals("retry-after", "1"));
                assertThat(json(answer).at("/error/type").asText()).isEqualTo("overloaded_error");
            }
        } finally {
            permits.forEach(Permit::close);
        }
    }

    @Test
    void create_brokenBody_isToldAnthropicsWay() {
        assertError(
                text(send(MESSAGES, "{").expectStatus().isBadRequest()),
                "invalid_request_error",
                "The body is not valid JSON at line 1, column 2.");
        assertError(
                text(client.post()
                        .uri(MESSAGES)
                        .header("x-request-id", "mine")
                        .contentType(MediaType.TEXT_PLAIN)
                        .bodyValue("hi")
                        .exchange()
                        .expectStatus()
                        .isEqualTo(415)),
                "invalid_request_error",
                "The content type is 'text/plain' but must be application/json in UTF-8.");
    }

    @Test
    void create_unknownModel_isNotFound() {
        assertError(
                text(send(MESSAGES, HI.replace("{\"max", "{\"model\":\"nope\",\"max"))
                        .expectStatus()
                        .isNotFound()),
                "not_found_error",
                "The model 'nope' does not exist.");
    }

    @Test
    void paths_otherMethods_areNotAllowed() {
        for (String path : List.of(MESSAGES, COUNT)) {
            String answer = text(client.get()
                    .uri(path)
                    .exchange()
                    .expectStatus()
                    .isEqualTo(405)
                    .expectHeader()
                    .valueEquals("allow", "POST"));
            assertThat(json(answer).at("/error/type").asText()).isEqualTo("invalid_request_error");
        }
    }

    @Test
    void countTokens_conversation_isCounted() {
        send(COUNT, HI.replace("\"max_tokens\":8,", ""))
                .expectStatus()
                .isOk()
                .expectBody()
                .json("{\"input_tokens\":4}", JsonCompareMode.STRICT);
        assertThat(service.lastRequest()).isNull();
    }

    @Test
    void stream_abandoned_cancelsTheGeneration() throws InterruptedException {
        CountDownLatch cancelled = new CountDownLatch(1);
        service.script(request -> Flux.<GenerationEvent>concat(Flux.just(new TextDelta(0, "first")), Flux.never())
                .doOnCancel(cancelled::countDown));

        byte[] begun = send(MESSAGES, HI_STREAM)
                .returnResult(byte[].class)
                .getResponseBody()
                .blockFirst(PATIENCE);

        assertThat(new String(begun, StandardCharsets.UTF_8)).startsWith("event: message_start\n");
        assertThat(cancelled.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    }

    private static void assertError(String body, String type, String message) {
        JsonNode error = json(body);
        assertThat(error.fieldNames()).toIterable().containsExactly("type", "error", "request_id");
        assertThat(error.get("type").asText()).isEqualTo("error");
        assertThat(error.get("error").fieldNames()).toIterable().containsExactly("type", "message");
        assertThat(error.at("/error/type").asText()).isEqualTo(type);
        assertThat(error.at("/error/message").asText()).isEqualTo(message);
        assertThat(error.get("request_id").asText()).isEqualTo("mine");
    }

    private WebTestClient.ResponseSpec send(String path, String body) {
        return client.post()
                .uri(path)
                .header("x-api-key", "secret")
                .header("anthropic-version", "2023-06-01")
                .header("x-request-id", "mine")
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(body)
                .exchange();
    }

    private static String text(WebTestClient.ResponseSpec response) {
        byte[] body = response.expectBody().returnResult().getResponseBody();
        return new String(body, StandardCharsets.UTF_8);
    }

    /** A text without what differs from run to run. */
    private static String neutral(String text) {
        return text.replaceAll("msg_[0-9a-f]{32}", "MESSAGE");
    }

    private static String normalised(String body) {
        return json(neutral(body)).toPrettyString();
    }

    private static String indented(String path) {
        return json(resource(path)).toPrettyString();
    }
}
