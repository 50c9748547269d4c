package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Usage;
import io.idefics.web.ScriptedCompletionService;
import io.idefics.web.WebServerTest;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.MediaType;
import reactor.core.publisher.Flux;

/** Answers as they are on the wire, compared with transcripts. */
class ChatCompletionsIT extends WebServerTest {

    @Test
    void complete_text_matchesTranscript() {
        byte[] body = post(resource("/contract/text.request.json"))
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("application/json")
                .expectHeader()
                .valueMatches("openai-processing-ms", "[0-9]+")
                .expectHeader()
                .valueEquals("cache-control", "no-store")
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(normalised(json(new String(body, StandardCharsets.UTF_8))))
                .isEqualTo(json(resource("/contract/text.response.json")).toPrettyString());
    }

    @Test
    void complete_picture_countsImageTokens() {
        byte[] body = post(resource("/contract/picture.request.json"))
                .expectStatus()
                .isOk()
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(normalised(json(new String(body, StandardCharsets.UTF_8))))
                .isEqualTo(json(resource("/contract/picture.response.json")).toPrettyString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"stream", "stream-usage"})
    void complete_stream_matchesTranscript(String name) {
        byte[] body = post(resource("/contract/" + name + ".request.json"))
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("text/event-stream")
                .expectHeader()
                .valueEquals("cache-control", "no-cache")
                .expectHeader()
                .valueEquals("x-accel-buffering", "no")
                .expectHeader()
                .exists("x-request-id")
                .expectBody()
                .returnResult()
                .getResponseBody();

        String text = new String(body, StandardCharsets.UTF_8);
        List<String> ids = text.lines()
                .filter(line -> line.startsWith("data: {"))
                .map(line -> json(line.substring(6)))
                .map(chunk -> chunk.get("id").asText() + chunk.get("created").asLong())
                .distinct()
                .toList();
        assertThat(ids).hasSize(1);
        assertThat(ids.get(0)).matches("chatcmpl-[0-9a-f]{32}[0-9]{10}");
        assertThat(text.replaceAll("chatcmpl-[0-9a-f]{32}", "ID").replaceAll("\"created\":[0-9]+", "\"created\":0"))
                .isEqualTo(resource("/contract/" + name + ".response.sse"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"*/*", "application/xml", "junk", "text/event-stream"})
    void complete_anyAccept_answersJson(String accept) {
        client.post()
                .uri(CHAT)
                .header("Accept", accept)
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(HELLO)
                .exchange()
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("application/json");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "application/json; charset=utf-8",
                "application/json;charset=\"UTF-8\"",
                "application/vnd.api+json"
            })
    void complete_jsonContentType_accepted(String type) {
        client.post()
                .uri(CHAT)
                .header("Content-Type", type)
                .bodyValue(HELLO.getBytes(StandardCharsets.UTF_8))
                .exchange()
                .expectStatus()
                .isOk();
    }

    @Test
    void complete_lengthReached_finishesWithLength() {
        service.script(request -> ScriptedCompletionService.answer(new Usage(1, 0, 0, 1), FinishReason.LENGTH, "cut"));

        post(HELLO).expectBody().jsonPath("$.choices[0].finish_reason").isEqualTo("length");
    }

    @Test
    void complete_twoChoicesWithLogprobs_matchesTranscript() {
        service.script(request -> ScriptedCompletionService.twoChoices());

        byte[] body = post(resource("/contract/choices.request.json"))
                .expectStatus()
                .isOk()
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(normalised(json(new String(body, StandardCharsets.UTF_8))))
                .isEqualTo(json(resource("/contract/choices.response.json")).toPrettyString());
    }

    @Test
    void stream_twoChoicesWithLogprobs_matchesTranscript() {
        service.script(request -> ScriptedCompletionService.twoChoices());
        ObjectNode request = (ObjectNode) json(resource("/contract/choices.request.json"));

        String text = post(request.put("stream", true).toString())
                .expectStatus()
                .isOk()
                .expectBody(String.class)
                .returnResult()
                .getResponseBody();

        assertThat(text.replaceAll("chatcmpl-[0-9a-f]{32}", "ID").replaceAll("\"created\":[0-9]+", "\"created\":0"))
                .isEqualTo(resource("/contract/choices.response.sse"));
    }

    @Test
    void complete_choiceWithoutEnd_isAFault() {
        service.script(request -> Flux.just(
                new TextDelta(0, "half"),
                new ChoiceEnded(1, FinishReason.END_TOKEN),
                new Completed(new Usage(1, 0, 0, 1))));

        post(HELLO).expectStatus().isEqualTo(500);
    }

    @Test
    void complete_noText_answersEmptyContent() {
        service.script(request -> ScriptedCompletionService.answer(new Usage(1, 0, 0, 1), FinishReason.END_TOKEN));

        post(HELLO).expectBody().jsonPath("$.choices[0].message.content").isEqualTo("");
    }

    @ParameterizedTest
    @EnumSource(ErrorType.class)
    void complete_serviceFails_answersErrorWithAndWithoutStream(ErrorType type) {
        service.script(request -> Flux.error(new GenerationException(type, "why", "messages[0].content")));

        for (String body : List.of(HELLO, HELLO_STREAM)) {
            var result = post(body)
                    .expectHeader()
                    .contentType("application/json")
                    .expectBody()
                    .returnResult();
            JsonNode error = error(result.getResponseBody());
            switch (type) {
                case INTERNAL -> {
                    assertThat(result.getStatus().value()).isEqualTo(500);
                    assertThat(result.getResponseHeaders().getFirst("x-should-retry"))
                            .isEqualTo("false");
                    assertThat(error.get("message").asText()).doesNotContain("why");
                    assertThat(error.get("type").asText()).isEqualTo("server_error");
                }
                case OVERLOADED, MODEL_NOT_READY -> {
                    assertThat(result.getStatus().value()).isEqualTo(503);
                    assertThat(result.getResponseHeaders().getFirst("retry-after"))
                            .isEqualTo("1");
                    assertThat(error.get("type").asText()).isEqualTo("server_error");
                }
                case UNAUTHENTICATED, FORBIDDEN -> {
                    boolean unknown = type == ErrorType.UNAUTHENTICATED;
                    assertThat(result.getStatus().value()).isEqualTo(unknown ? 401 : 403);
                    assertThat(error.get("type").asText()).isEqualTo("invalid_request_error");
                    assertThat(error.get("code").asText()).isEqualTo(unknown ? "invalid_api_key" : "permission_denied");
                }
                case RATE_LIMITED -> {
                    assertThat(result.getStatus().value()).isEqualTo(429);
                    assertThat(error.get("type").asText()).isEqualTo("rate_limit_error");
                    assertThat(error.get("code").asText()).isEqualTo("rate_limit_exceeded");
                }
                default -> {
                    assertThat(result.getStatus().value()).isEqualTo(type == ErrorType.MODEL_NOT_FOUND ? 404 : 400);
                    assertThat(error.get("type").asText()).isEqualTo("invalid_request_error");
                    assertThat(error.get("code").asText()).isEqualTo(type.name().toLowerCase(java.util.Locale.ROOT));
                    assertThat(error.get("param").asText()).isEqualTo("messages[0].content");
                    assertThat(error.get("message").asText()).isEqualTo("why");
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {HELLO, HELLO_STREAM})
    void complete_unexpectedException_hidesItsCause(String request) {
        service.script(ignored -> {
            throw new IllegalStateException("secret of io.idefics.Foo");
        });

        byte[] body = post(request)
                .expectStatus()
                .isEqualTo(500)
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(error(body).toString()).doesNotContain("secret", "idefics", "IllegalState");
    }

    @Test
    void complete_answerWithoutEnd_isAFault() {
        service.script(request -> Flux.just(new TextDelta(0, "half")));

        post(HELLO).expectStatus().isEqualTo(500);
    }

    @Test
    void stream_errorAfterText_endsWithErrorEventAndNoDone() {
        service.script(request -> Flux.concat(
                Flux.just(new TextDelta(0, "half")),
                Flux.error(new GenerationException(ErrorType.OVERLOADED, "no room", null))));

        String text = post(HELLO_STREAM)
                .expectStatus()
                .isOk()
                .expectBody(String.class)
                .returnResult()
                .getResponseBody();

        assertThat(text)
                .contains("\"content\":\"half\"")
                .endsWith("event: error\ndata: {\"error\":{\"message\":\"no room\",\"type\":\"server_error\","
                        + "\"param\":null,\"code\":\"overloaded\"}}\n\n")
                .doesNotContain("[DONE]");
    }

    @Test
    void stream_answerWithoutEnd_endsWithErrorEvent() {
        service.script(request -> Flux.just(new TextDelta(0, "half")));

        String text = post(HELLO_STREAM).expectBody(String.class).returnResult().getResponseBody();

        assertThat(text).contains("event: error\n", "internal_error").doesNotContain("[DONE]");
    }

    @Test
    void stream_lineBreaksInText_stayInsideTheirEvent() {
        service.script(request -> Flux.just(
                new TextDelta(0, "a\nb\r\nc\u2028d\u0085e"),
                new ChoiceEnded(0, FinishReason.END_TOKEN),
                new Completed(new Usage(1, 0, 0, 1))));

        String text = post(HELLO_STREAM).expectBody(String.class).returnResult().getResponseBody();

        assertThat(text.split("\n\n"))
                .hasSize(4)
                .allSatisfy(event -> assertThat(event).startsWith("data: ").doesNotContain("\n", "\r"));
        String data = text.split("\n\n")[1].substring(6);
        assertThat(json(data).at("/choices/0/delta/content").asText()).isEqualTo("a\nb\r\nc\u2028d\u0085e");
    }
}
