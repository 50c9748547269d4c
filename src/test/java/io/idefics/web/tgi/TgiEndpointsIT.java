package io.idefics.web.tgi;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.PromptRead;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import io.idefics.generation.Usage;
import io.idefics.web.WebServerTest;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.test.json.JsonCompareMode;
import org.springframework.test.web.reactive.server.WebTestClient.ResponseSpec;
import reactor.core.publisher.Flux;

/** Answers as they are on the wire. */
class TgiEndpointsIT extends WebServerTest {

    private static final String HI = "{\"inputs\":\"hi\",\"parameters\":{}}";
    private static final Candidate RED = new Candidate(4367, " Red", List.of(32, 82, 101, 100), -0.25);
    private static final Candidate DOT = new Candidate(29889, ".", List.of(46), -0.5);
    private static final Candidate END = new Candidate(32002, "<end_of_utterance>", null, -0.125);
    private static final Candidate NEVER = new Candidate(1, "<s>", null, Double.NEGATIVE_INFINITY);

    @Test
    void generate_text_isAllThatIsTold() {
        service.script(request -> red());

        post("/generate", HI)
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("application/json")
                .expectHeader()
                .valueEquals("cache-control", "no-store")
                .expectHeader()
                .valueEquals("x-prompt-tokens", "9")
                .expectHeader()
                .valueEquals("x-generated-tokens", "3")
                .expectHeader()
                .valueEquals("x-compute-characters", "2")
                .expectHeader()
                .valueMatches("x-total-time", "[0-9]+")
                .expectHeader()
                .valueMatches("x-inference-time", "[0-9]+")
                .expectHeader()
                .valueMatches("x-time-per-token", "[0-9]+")
                .expectHeader()
                .valueMatches("x-compute-time", "[0-9]+\\.[0-9E-]+")
                .expectBody()
                .json("{\"generated_text\":\" Red.\"}", JsonCompareMode.STRICT);
    }

    @Test
    void generate_everything_isTold() {
        service.script(request -> Flux.concat(
                Flux.just(new PromptRead(
                        "hi",
                        List.of(
                                logprob(new Candidate(1, "<s>", null, Double.NaN), 0),
                                logprob(new Candidate(7251, " hi", List.of(32, 104, 105), -2), 0)))),
                red(2).map(TgiEndpointsIT::withTop)));

        post(
                        "/generate",
                        """
                {"inputs":"hi","parameters":{"details":true,"decoder_input_details":true,"return_full_text":true,
                "top_n_tokens":1,"do_sample":true,"seed":7}}""")
                .expectBody()
                .json(
                        """
                {"generated_text":"hi Red.","details":{"finish_reason":"eos_token","generated_tokens":3,"seed":7,
                "prefill":[{"id":1,"text":"<s>","logprob":null},{"id":7251,"text":"hi","logprob":-2.0}],
                "tokens":[{"id":4367,"text":" Red","logprob":-0.25,"special":false},
                {"id":29889,"text":".","logprob":-0.5,"special":false},
                {"id":32002,"text":"<end_of_utterance>","logprob":-0.125,"special":true}],
                "top_tokens":[[{"id":1,"text":"<s>","logprob":null,"special":true}],
                [{"id":1,"text":"<s>","logprob":null,"special":true}],
                [{"id":1,"text":"<s>","logprob":null,"special":true}]]}}""",
                        JsonCompareMode.STRICT);
    }

    @Test
    void generate_bestOf_ranksByTheMean() {
        service.script(request -> Flux.just(
                new TextDelta(0, " Red", List.of(logprob(RED, 0))),
                new TextDelta(1, ".", List.of(logprob(END, 0), logprob(DOT, 0))),
                new ChoiceEnded(1, FinishReason.LENGTH, null, 2, null),
                new ChoiceEnded(0, FinishReason.STOP_STRING, " Red", 1, null),
                new Completed(new Usage(9, 0, 0, 3))));

        JsonNode answer = body(
                post("/generate", "{\"inputs\":\"hi\",\"parameters\":{\"best_of\":2,\"top_k\":5,\"details\":true}}"));

        assertThat(answer.get("generated_text").asText()).isEqualTo(" Red");
        JsonNode details = answer.get("details");
        assertThat(details.get("finish_reason").asText()).isEqualTo("stop_sequence");
        JsonNode other = details.at("/best_of_sequences/0");
        assertThat(other.get("generated_text").asText()).isEqualTo(".");
        assertThat(other.get("finish_reason").asText()).isEqualTo("length");
        assertThat(other.get("generated_tokens").asInt()).isEqualTo(2);
        assertThat(other.get("seed").asLong()).isEqualTo(details.get("seed").asLong() + 1);
        assertThat(details.get("best_of_sequences")).hasSize(1);
        assertThat(details.has("top_tokens")).isFalse();
    }

    @Test
    void either_stream_choosesTheAnswer() {
        service.script(request -> red());

        post("/", HI).expectBody().json("[{\"generated_text\":\" Red.\"}]", JsonCompareMode.STRICT);
        post("/", "{\"inputs\":\"hi\",\"stream\":true}").expectHeader().contentType("text/event-stream");
        post("/", "{\"inputs\":\"hi\",\"stream\":1}").expectStatus().isEqualTo(422);
    }

    @Test
    void generateStream_details_areWithTheLastToken() {
        service.script(request -> red());

        String text = post(
                        "/generate_stream",
                        "{\"inputs\":\"hi\",\"parameters\":{\"details\":true,\"return_full_text\":true}}")
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("text/event-stream")
                .expectHeader()
                .valueEquals("x-accel-buffering", "no")
                .expectHeader()
                .valueEquals("x-compute-characters", "2")
                .expectBody(String.class)
                .returnResult()
                .getResponseBody();

        assertThat(text)
                .isEqualTo(
                        "data: {\"index\":1,\"token\":{\"id\":4367,\"text\":\" Red\",\"logprob\":-0.25,\"special\":false},"
                                + "\"generated_text\":null,\"details\":null}\n\n"
                                + "data: {\"index\":2,\"token\":{\"id\":29889,\"text\":\".\",\"logprob\":-0.5,\"special\":false},"
                                + "\"generated_text\":null,\"details\":null}\n\n"
                                + "data: {\"index\":3,\"token\":{\"id\":32002,\"text\":\"<end_of_utterance>\",\"logprob\":-0.125,"
                                + "\"special\":true},\"generated_text\":\"hi Red.\",\"details\":{\"finish_reason\":\"eos_token\","
                                + "\"generated_tokens\":3,\"seed\":null,\"input_length\":9}}\n\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"max_new_tokens\":2", "\"stop\":[\"d.\"]", "\"top_n_tokens\":1"})
    void generateStream_lastTokenOfTheText_hasTheWholeText(String parameter) {
        service.script(request -> Flux.just(
                new TextDelta(0, " Red", List.of(logprob(RED, 0))),
                new TextDelta(0, ".", List.of(logprob(DOT, 4))),
                new ChoiceEnded(0, FinishReason.LENGTH, null, 2, null),
                new Completed(new Usage(9, 0, 0, 2))));

        String text = stream("{\"inputs\":\"hi\",\"parameters\":{" + parameter + "}}");

        String[] events = text.split("\n\n");
        assertThat(events).hasSize(2);
        assertThat(events[0]).contains("\"text\":\" Red\"", "\"generated_text\":null");
        assertThat(events[1]).contains("\"text\":\".\"", "\"generated_text\":\" Red.\"");
    }

    @Test
    void generateStream_tokensBeforeTheLimit_areSentAtOnce() {
        service.script(request -> Flux.<GenerationEvent>just(new TextDelta(0, " Red", List.of(logprob(RED, 0))))
                .concatWith(Flux.never()));

        byte[] first = client.post()
                .uri("/generate_stream")
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue("{\"inputs\":\"hi\",\"parameters\":{\"max_new_tokens\":9}}")
                .exchange()
                .returnResult(byte[].class)
                .getResponseBody()
                .blockFirst(PATIENCE);

        assertThat(new String(first, StandardCharsets.UTF_8)).contains(" Red");
        // Taking one event and leaving cancels the rest.
        Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> service.active() == 0);
    }

    @ParameterizedTest
    @EnumSource(ErrorType.class)
    void generate_serviceFails_answersInTheDialectWithAndWithoutStream(ErrorType type) {
        service.script(request -> Flux.error(new GenerationException(type, "why", "inputs")));

        for (String path : List.of("/generate", "/generate_stream", "/")) {
            var result = post(path, HI)
                    .expectHeader()
                    .contentType("application/json")
                    .expectBody()
                    .returnResult();
            JsonNode error = json(new String(result.getResponseBody(), StandardCharsets.UTF_8));
            assertThat(error.fieldNames()).toIterable().containsExactly("error", "error_type");
            String message = error.get("error").asText();
            String kind = error.get("error_type").asText();
            int status = result.getStatus().value();
            switch (type) {
                case INTERNAL -> {
                    assertThat(List.of(status, kind)).containsExactly(424, "generation");
                    assertThat(message)
                            .startsWith("Request failed during generation: ")
                            .doesNotContain("why");
                }
                case OVERLOADED -> {
                    assertThat(List.of(status, kind, message)).containsExactly(429, "overloaded", "why");
                    assertThat(result.getResponseHeaders().getFirst("retry-after"))
                            .isEqualTo("1");
                }
                case RATE_LIMITED ->
                    assertThat(List.of(status, kind, message)).containsExactly(429, "overloaded", "why");
                case MODEL_NOT_READY ->
                    assertThat(List.of(status, kind, message)).containsExactly(503, "healthcheck", "why");
                case MODEL_NOT_FOUND ->
                    assertThat(List.of(status, kind, message)).containsExactly(404, "validation", "why");
                case UNAUTHENTICATED ->
                    assertThat(List.of(status, kind, message)).containsExactly(401, "authentication", "why");
                case FORBIDDEN -> assertThat(List.of(status, kind, message)).containsExactly(403, "permission", "why");
                default ->
                    assertThat(List.of(status, kind, message))
                            .containsExactly(422, "validation", "Input validation error: why");
            }
        }
    }

    @Test
    void generate_answerWithoutEnd_isAFault() {
        service.script(request -> Flux.just(new TextDelta(0, "half")));

        post("/generate", HI).expectStatus().isEqualTo(424);
        post("/generate_stream", HI).expectStatus().isEqualTo(424);
    }

    @Test
    void generateStream_errorAfterATokenEndsTheStream() {
        service.script(request -> Flux.concat(
                Flux.just(new TextDelta(0, " Red", List.of(logprob(RED, 0)))),
                Flux.error(new GenerationException(ErrorType.OVERLOADED, "no room", null))));

        assertThat(stream("{\"inputs\":\"hi\",\"parameters\":{\"max_new_tokens\":9}}"))
                .contains(" Red")
                .endsWith("\n\ndata: {\"error\":\"no room\",\"error_type\":\"overloaded\"}\n\n");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{|400|The body is not valid JSON at line 1, column 2.",
                "[]|400|The body must be a JSON object but is an array.",
                "{}|422|Input validation error: inputs is missing but must be a string.",
                "{\"inputs\":\"\"}|422|Input validation error: `inputs` cannot be empty",
                "{\"inputs\":\"a\",\"parameters\":[]}|422|Input validation error: parameters is an array but must be an object.",
                "{\"inputs\":\"a\",\"parameters\":{\"top_p\":1}}|422|"
                        + "Input validation error: parameters.top_p is 1 but must be above 0 and below 1."
            })
    void generate_mistake_isTold(String request, int status, String message) {
        for (String path : List.of("/generate", "/generate_stream", "/")) {
            JsonNode error = body(post(path, request), status);
            assertThat(error.get("error").asText()).isEqualTo(message);
            assertThat(error.get("error_type").asText()).isEqualTo("validation");
        }
        assertThat(service.lastRequest()).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"/generate", "/generate_stream", "/chat_tokenize", "/"})
    void post_otherContentType_isRefusedInTheDialect(String path) {
        JsonNode error = body(
                client.post()
                        .uri(path)
                        .contentType(MediaType.TEXT_PLAIN)
                        .bodyValue("hi")
                        .exchange(),
                415);

        assertThat(error.get("error_type").asText()).isEqualTo("validation");
    }

    @ParameterizedTest
    @CsvSource({"GET,/generate", "PUT,/generate_stream", "GET,/chat_tokenize", "POST,/info", "POST,/health", "PUT,/"})
    void anyPath_otherMethod_isRefusedInTheDialect(String method, String path) {
        JsonNode error =
                body(client.method(HttpMethod.valueOf(method)).uri(path).exchange(), 405);

        assertThat(error.fieldNames()).toIterable().containsExactly("error", "error_type");
    }

    @Test
    void otherPaths_errors_stayAsTheyAre() {
        JsonNode error = body(post("/v1/chat/completions", "{}"), 400);

        assertThat(error.at("/error/param").asText()).isEqualTo("messages");
    }

    @Test
    void info_ready_tellsTheFirstModel() {
        JsonNode info = body(client.get().uri("/info").exchange());

        assertThat(info.fieldNames())
                .toIterable()
                .containsExactly(
                        "model_id",
                        "model_sha",
                        "model_dtype",
                        "model_device_type",
                        "model_pipeline_tag",
                        "max_concurrent_requests",
                        "max_best_of",
                        "max_stop_sequences",
                        "max_input_tokens",
                        "max_total_tokens",
                        "validation_workers",
                        "max_client_batch_size",
                        "router",
                        "version",
                        "sha",
                        "docker_label");
        assertThat(info.get("model_id").asText()).isEqualTo("org/mini-model");
        assertThat(info.get("model_dtype").asText()).isEqualTo("float32");
        assertThat(info.get("max_concurrent_requests").asInt()).isEqualTo(64);
        assertThat(info.get("max_best_of").asInt()).isEqualTo(8);
        assertThat(info.get("max_stop_sequences").asInt()).isEqualTo(16);
        assertThat(info.get("max_input_tokens").asInt()).isEqualTo(2047);
        assertThat(info.get("max_total_tokens").asInt()).isEqualTo(2048);
        assertThat(info.get("max_client_batch_size").asInt()).isEqualTo(32);
        assertThat(info.get("validation_workers").asInt()).isPositive();
    }

    @Test
    void health_modelReadyOrNot_isTold() {
        for (String path : List.of("/health", "/")) {
            client.get().uri(path).exchange().expectStatus().isOk().expectBody().isEmpty();
        }
        service.models(List.of());

        for (String path : List.of("/health", "/", "/info")) {
            client.get()
                    .uri(path)
                    .exchange()
                    .expectStatus()
                    .isEqualTo(503)
                    .expectBody()
                    .json(
                            "{\"error\":\"No model is ready to answer.\",\"error_type\":\"healthcheck\"}",
                            JsonCompareMode.STRICT);
        }
        JsonNode error = body(post("/generate", HI), 503);
        assertThat(error.get("error_type").asText()).isEqualTo("healthcheck");
    }

    @Test
    void tokenize_inputs_isAnArrayOfTokens() {
        post("/tokenize", "{\"inputs\":\"User: hi\",\"parameters\":{\"max_new_tokens\":1}}")
                .expectStatus()
                .isOk()
                .expectBody()
                .json(
                        """
                        [{"id":1,"text":"<s>","start":0,"stop":0},{"id":4911,"text":"User","start":0,"stop":4},
                        {"id":29901,"text":":","start":4,"stop":5},{"id":7251,"text":" hi","start":5,"stop":8}]""",
                        JsonCompareMode.STRICT);
        JsonNode error = body(post("/tokenize", "{\"inputs\":1}"), 422);
        assertThat(error.get("error_type").asText()).isEqualTo("validation");
        body(post("/tokenize", "{\"inputs\":\"" + "a ".repeat(40_000) + "\"}"), 422);
    }

    @Test
    void chatTokenize_messages_areTheirPromptAndItsTokens() {
        post("/chat_tokenize", HELLO)
                .expectStatus()
                .isOk()
                .expectBody()
                .json(
                        """
                {"tokenize_response":[{"id":1,"text":"<s>","start":0,"stop":3},
                {"id":4911,"text":"User","start":3,"stop":7},{"id":29901,"text":":","start":7,"stop":8},
                {"id":7251,"text":" hi","start":8,"stop":11}],"templated_text":"<s>User: hi"}""",
                        JsonCompareMode.STRICT);
        JsonNode error = body(post("/chat_tokenize", "{}"), 422);
        assertThat(error.get("error").asText()).contains("messages");
    }

    /** An answer of two tokens with a text and the one that ends it. */
    private static Flux<GenerationEvent> red() {
        return red(0);
    }

    /** The same after a prompt of some code points that is told too. */
    private static Flux<GenerationEvent> red(int offset) {
        return Flux.just(
                new TextDelta(0, " Red", List.of(logprob(RED, offset))),
                new TextDelta(0, ".", List.of(logprob(DOT, offset + 4))),
                new ChoiceEnded(0, FinishReason.END_TOKEN, null, 3, logprob(END, offset + 5)),
                new Completed(new Usage(9, 0, 0, 3)));
    }

    /** An event that tells of each token another one that could not have been in its place. */
    private static GenerationEvent withTop(GenerationEvent event) {
        if (event instanceof TextDelta delta) {
            return new TextDelta(
                    delta.choice(),
                    delta.text(),
                    delta.logprobs().stream().map(TgiEndpointsIT::withTop).toList());
        }
        return event instanceof ChoiceEnded end
                ? new ChoiceEnded(end.choice(), end.reason(), end.stop(), end.tokens(), withTop(end.end()))
                : event;
    }

    private static TokenLogprob withTop(TokenLogprob token) {
        return new TokenLogprob(token.chosen(), List.of(NEVER), token.offset());
    }

    private static TokenLogprob logprob(Candidate chosen, int offset) {
        return new TokenLogprob(chosen, List.of(), offset);
    }

    private String stream(String body) {
        return post("/generate_stream", body)
                .expectStatus()
                .isOk()
                .expectBody(String.class)
                .returnResult()
                .getResponseBody();
    }

    private static JsonNode body(ResponseSpec response) {
        return body(response, 200);
    }

    private static JsonNode body(ResponseSpec response, int status) {
        byte[] body = response.expectStatus()
                .isEqualTo(status)
                .expectBody()
                .returnResult()
                .getResponseBody();
        return json(new String(body, StandardCharsets.UTF_8));
    }
}
