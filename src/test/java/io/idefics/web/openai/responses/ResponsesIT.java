package io.idefics.web.openai.responses;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.ContentPart;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import io.idefics.generation.Usage;
import io.idefics.web.ScriptedCompletionService;
import io.idefics.web.WebServerTest;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.test.web.reactive.server.WebTestClient;
import reactor.core.publisher.Flux;

/** Answers as they are on the wire, compared with transcripts. */
class ResponsesIT extends WebServerTest {

    private static final String RESPONSES = "/v1/responses";
    private static final String HI = "{\"input\":\"hi\"}";
    private static final String HI_STREAM = "{\"input\":\"hi\",\"stream\":true}";

    @Test
    void create_text_matchesTranscript() {
        String body = text(respond(resource("/contract/responses/text.request.json"))
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("application/json")
                .expectHeader()
                .valueMatches("openai-processing-ms", "[0-9]+")
                .expectHeader()
                .valueEquals("cache-control", "no-store"));

        assertThat(normalised(body)).isEqualTo(indented("/contract/responses/text.response.json"));
        assertThat(json(body).get("id").asText()).matches("resp_[0-9a-f]{32}");
        assertThat(json(body).get("created_at").isIntegralNumber()).isTrue();
    }

    @Test
    void create_conversation_isReadAndAnswered() {
        String body = text(respond(resource("/contract/responses/picture.request.json"))
                .expectStatus()
                .isOk());

        GenerationRequest request = service.lastRequest();
        assertThat(request.prompt().images())
                .containsExactly(
                        new ContentPart.ImageRef("data:image/png;base64,AA==", "input[2].content[1].image_url"));
        assertThat(normalised(body)).isEqualTo(indented("/contract/responses/picture.response.json"));
    }

    @Test
    void create_lengthReached_isIncomplete() {
        service.script(request -> ScriptedCompletionService.answer(new Usage(9, 8, 0, 1), FinishReason.LENGTH, "cut"));

        assertThat(normalised(text(respond(HI).expectStatus().isOk())))
                .isEqualTo(indented("/contract/responses/incomplete.response.json"));
    }

    @Test
    void create_stopString_isCompleted() {
        service.script(request ->
                ScriptedCompletionService.answer(new Usage(9, 8, 0, 1), FinishReason.STOP_STRING, "until here"));

        respond("{\"input\":\"hi\",\"stop\":[\"now\"]}")
                .expectBody()
                .jsonPath("$.status")
                .isEqualTo("completed")
                .jsonPath("$.output[0].content[0].text")
                .isEqualTo("until here");
        assertThat(service.lastRequest().stopping().stop()).containsExactly("now");
    }

    @Test
    void create_logprobs_matchesTranscript() {
        service.script(request -> unlikely());

        assertThat(normalised(text(respond(resource("/contract/responses/logprobs.request.json"))
                        .expectStatus()
                        .isOk())))
                .isEqualTo(indented("/contract/responses/logprobs.response.json"));
        assertThat(service.lastRequest().output().topLogprobs()).isEqualTo(2);
    }

    @Test
    void stream_text_matchesTranscript() {
        String body = text(respond(HI_STREAM)
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("text/event-stream")
                .expectHeader()
                .valueEquals("cache-control", "no-cache")
                .expectHeader()
                .valueEquals("x-accel-buffering", "no"));

        assertThat(neutral(body)).isEqualTo(resource("/contract/responses/stream.response.sse"));
        assertThat(body.lines().filter(line -> line.startsWith("data: ")).map(line -> json(line.substring(6))
                        .get("sequence_number")
                        .intValue()))
                .containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    }

    @Test
    void stream_logprobsAndLengthReached_matchesTranscript() {
        service.script(request -> unlikely());
        String request =
                resource("/contract/responses/logprobs.request.json").replaceFirst("\\{", "{\"stream\": true,");

        assertThat(neutral(text(respond(request).expectStatus().isOk())))
                .isEqualTo(resource("/contract/responses/logprobs.response.sse"));
    }

    @Test
    void stream_errorAfterText_isToldAndFails() {
        service.script(request -> Flux.concat(
                Flux.just(new TextDelta(0, "half")),
                Flux.error(new GenerationException(ErrorType.OVERLOADED, "no room", null))));

        assertThat(neutral(text(respond(HI_STREAM).expectStatus().isOk())))
                .isEqualTo(resource("/contract/responses/failed.response.sse"));
    }

    @Test
    void stream_faultAfterText_hidesItsCause() {
        service.script(request ->
                Flux.concat(Flux.just(new TextDelta(0, "half")), Flux.error(new IllegalStateException("secret"))));

        String body = text(respond(HI_STREAM).expectStatus().isOk());

        assertThat(body).contains("event: error\n", "event: response.failed\n", "\"server_error\"");
        assertThat(body).doesNotContain("secret", "response.completed", "[DONE]");
    }

    @Test
    void create_answerWithoutEnd_isAFault() {
        service.script(request -> Flux.just(new TextDelta(0, "half"), new Completed(new Usage(1, 0, 0, 1))));

        respond(HI).expectStatus().isEqualTo(500);
        assertThat(text(respond(HI_STREAM))).contains("event: response.failed\n");
    }

    @ParameterizedTest
    @EnumSource(ErrorType.class)
    void create_serviceFails_answersErrorWithAndWithoutStream(ErrorType type) {
        service.script(request -> Flux.error(new GenerationException(type, "why", "messages")));

        for (String body : List.of(HI, HI_STREAM)) {
            var result = respond(body)
                    .expectHeader()
                    .contentType("application/json")
                    .expectBody()
                    .returnResult();
            JsonNode error = error(result.getResponseBody());
            int expected =
                    switch (type) {
                        case INTERNAL -> 500;
                        case UNAUTHENTICATED -> 401;
                        case FORBIDDEN -> 403;
                        case MODEL_NOT_FOUND -> 404;
                        case RATE_LIMITED -> 429;
                        case OVERLOADED, MODEL_NOT_READY -> 503;
                        default -> 400;
                    };
            assertThat(result.getStatus().value()).isEqualTo(expected);
            assertThat(error.get("param").asText()).isEqualTo(type == ErrorType.INTERNAL ? "null" : "input");
        }
    }

    @Test
    void create_tooLong_blamesTheInput() {
        service.script(request ->
                Flux.error(new GenerationException(ErrorType.CONTEXT_LENGTH_EXCEEDED, "The prompt is long.", null)));

        JsonNode error = error(respond(HI).expectBody().returnResult().getResponseBody());

        assertThat(error.get("param").asText()).isEqualTo("input");
        assertThat(error.get("code").asText()).isEqualTo("context_length_exceeded");
    }

    @Test
    void create_pictureRefused_keepsItsPath() {
        service.script(request -> Flux.error(
                new GenerationException(ErrorType.INVALID_IMAGE_URL, "no", "input[0].content[0].image_url")));

        JsonNode error = error(respond(HI).expectBody().returnResult().getResponseBody());

        assertThat(error.get("param").asText()).isEqualTo("input[0].content[0].image_url");
    }

    @Test
    void create_mistake_isRefused() {
        JsonNode error = error(respond("{\"input\":\"hi\",\"background\":true}")
                .expectStatus()
                .isBadRequest()
                .expectBody()
                .returnResult()
                .getResponseBody());

        assertThat(error.get("param").asText()).isEqualTo("background");
        assertThat(error.get("code").asText()).isEqualTo("unsupported_parameter");
        assertThat(service.lastRequest()).isNull();
    }

    @Test
    void stream_abandoned_cancelsTheGeneration() throws InterruptedException {
        CountDownLatch cancelled = new CountDownLatch(1);
        service.script(request -> Flux.<GenerationEvent>concat(Flux.just(new TextDelta(0, "first")), Flux.never())
                .doOnCancel(cancelled::countDown));

        byte[] begun =
                respond(HI_STREAM).returnResult(byte[].class).getResponseBody().blockFirst(PATIENCE);

        assertThat(new String(begun, StandardCharsets.UTF_8)).startsWith("event: response.created\n");
        assertThat(cancelled.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET", "DELETE"})
    void earlier_anyId_isNotStored(String method) {
        JsonNode error = error(client.method(HttpMethod.valueOf(method))
                .uri("/v1/responses/resp_1")
                .exchange()
                .expectStatus()
                .isNotFound()
                .expectBody()
                .returnResult()
                .getResponseBody());

        assertThat(error.get("message").asText())
                .isEqualTo("Response with id 'resp_1' not found: responses are not stored.");
        assertThat(error.get("code").asText()).isEqualTo("response_not_found");
    }

    @Test
    void paths_otherMethods_areNotAllowed() {
        client.get()
                .uri(RESPONSES)
                .exchange()
                .expectStatus()
                .isEqualTo(405)
                .expectHeader()
                .valueEquals("allow", "POST");
        client.put().uri("/v1/responses/resp_1").exchange().expectStatus().isEqualTo(405);
    }

    private static Flux<GenerationEvent> unlikely() {
        Candidate red = new Candidate(4367, "Red", List.of(82, 101, 100), -0.25);
        Candidate special = new Candidate(32001, "<image>", null, Double.NEGATIVE_INFINITY);
        Candidate half = new Candidate(198, "\\xc3", List.of(195), -1);
        Candidate other = new Candidate(172, "\\xa9", List.of(169), -2);
        return Flux.just(
                new TextDelta(0, "Red", List.of(new TokenLogprob(red, List.of(red, special), 0))),
                new TextDelta(
                        0,
                        "é",
                        List.of(new TokenLogprob(half, List.of(half), 3), new TokenLogprob(other, List.of(), 3))),
                new ChoiceEnded(0, FinishReason.LENGTH),
                new Completed(new Usage(9, 8, 0, 3)));
    }

    private WebTestClient.ResponseSpec respond(String body) {
        return client.post()
                .uri(RESPONSES)
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
        return text.replaceAll("resp_[0-9a-f]{32}", "RESPONSE")
                .replaceAll("msg_[0-9a-f]{32}", "MESSAGE")
                .replaceAll("(created|completed)_at\":[0-9]{10}\\b", "$1_at\":0");
    }

    private static String normalised(String body) {
        return json(neutral(body)).toPrettyString();
    }

    private static String indented(String path) {
        return json(resource(path)).toPrettyString();
    }
}
