package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.idefics.generation.FinishReason;
import io.idefics.generation.Usage;
import io.idefics.testing.ContractRecorder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.MediaType;

/** The published contract: complete, true and usable without a network. */
class OpenApiIT extends WebServerTest {

    @Test
    void apiDocs_served_equalTheContract() throws Exception {
        JsonNode contract = new YAMLMapper().readTree(resource("/openapi.yaml"));

        assertThat(flat(docs())).isEqualTo(flat(contract));
    }

    @Test
    void apiDocs_paths_areThoseOfTheApi() {
        JsonNode paths = docs().get("paths");

        assertThat(paths.fieldNames())
                .toIterable()
                .containsExactlyInAnyOrder(
                        "/v1/chat/completions",
                        "/v1/chat/completions/input_tokens",
                        "/v1/chat/completions/render",
                        "/v1/models",
                        "/v1/models/{id}",
                        "/v1/completions",
                        "/v1/classify",
                        "/v1/responses",
                        "/v1/responses/{id}",
                        "/v1/messages",
                        "/v1/messages/count_tokens",
                        "/tokenize",
                        "/detokenize",
                        "/",
                        "/generate",
                        "/generate_stream",
                        "/chat_tokenize",
                        "/info",
                        "/health");
        assertThat(docs().get("openapi").asText()).isEqualTo("3.1.0");
        assertThat(docs().at("/servers/0/url").asText()).isEqualTo("/");
        assertThat(paths.at("/~1v1~1chat~1completions/post/responses").fieldNames())
                .toIterable()
                .containsExactlyInAnyOrder(
                        "200", "400", "401", "403", "404", "405", "408", "413", "415", "429", "500", "503");
    }

    @Test
    void apiDocs_references_allResolve() {
        JsonNode docs = docs();
        List<String> references = docs.findValuesAsText("$ref");

        assertThat(references).isNotEmpty().allSatisfy(reference -> assertThat(
                        docs.at(reference.substring(1)).isObject())
                .as(reference)
                .isTrue());
    }

    @Test
    void apiDocs_requestExamples_areAccepted() {
        service.script(ScriptedCompletionService::echoWithTokens);
        AtomicInteger sent = new AtomicInteger();
        docs().get("paths").properties().forEach(path -> path.getValue()
                .at("/post/requestBody/content/application~1json/examples")
                .forEach(example -> {
                    sent.incrementAndGet();
                    client.post()
                            .uri(path.getKey())
                            .contentType(MediaType.APPLICATION_JSON)
                            .bodyValue(example.get("value").toString())
                            .exchange()
                            .expectStatus()
                            .isOk();
                }));

        assertThat(sent.get()).isGreaterThanOrEqualTo(16);
    }

    @Test
    void recorder_answerNotAsDescribed_tellsThePath() {
        service.script(request ->
                ScriptedCompletionService.answer(new Usage(-1, 0, 0, 1), FinishReason.END_TOKEN, "negative"));

        post(HELLO).expectStatus().isOk();

        assertThat(ContractRecorder.takeViolations())
                .containsExactly("POST /v1/chat/completions 200, answer: $.usage.prompt_tokens:"
                        + " must have a minimum value of 0");
    }

    @Test
    void apiDocs_errorExamples_haveTheCodesOfTheTable() {
        TreeSet<String> codes = new TreeSet<>();
        docs().at("/components/responses").properties().stream()
                .filter(response -> !response.getKey().startsWith("Tgi"))
                .filter(response -> !response.getKey().startsWith("Messages"))
                .forEach(response -> response.getValue()
                        .at("/content/application~1json/examples")
                        .forEach(example -> {
                            JsonNode error = example.at("/value/error");
                            assertThat(error.fieldNames())
                                    .toIterable()
                                    .containsExactly("message", "type", "param", "code");
                            codes.add(error.get("code").asText());
                        }));

        assertThat(codes)
                .containsExactly(
                        "body_too_large",
                        "context_length_exceeded",
                        "image_too_large",
                        "internal_error",
                        "invalid_api_key",
                        "invalid_image_format",
                        "invalid_image_url",
                        "invalid_value",
                        "method_not_allowed",
                        "model_not_found",
                        "model_not_ready",
                        "overloaded",
                        "permission_denied",
                        "rate_limit_exceeded",
                        "request_timeout",
                        "response_not_found",
                        "unsupported_media_type",
                        "unsupported_parameter");
    }

    @Test
    void root_browser_isLedToTheDescription() {
        client.get()
                .uri("/")
                .header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
                .exchange()
                .expectStatus()
                .isEqualTo(307)
                .expectHeader()
                .location("swagger-ui.html");
        client.get().uri("/swagger-ui.html").exchange().expectStatus().is3xxRedirection();
    }

    @ParameterizedTest
    @ValueSource(strings = {"index.html", "swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"})
    void swaggerUi_files_areServedFromHere(String file) {
        String text = client.mutate()
                .codecs(codecs -> codecs.defaultCodecs().maxInMemorySize(8 << 20))
                .build()
                .get()
                .uri("/swagger-ui/" + file)
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody(String.class)
                .returnResult()
                .getResponseBody();

        assertThat(text).isNotBlank();
        if (file.equals("index.html")) {
            assertThat(text).doesNotContain("http://", "https://");
        }
    }

    private JsonNode docs() {
        byte[] body = client.mutate()
                .codecs(codecs -> codecs.defaultCodecs().maxInMemorySize(8 << 20))
                .build()
                .get()
                .uri("/v3/api-docs")
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody()
                .returnResult()
                .getResponseBody();
        return json(new String(body, StandardCharsets.UTF_8));
    }

    /** Every leaf by its path; lists of required fields are sets. */
    private static Map<String, Object> flat(JsonNode node) {
        Map<String, Object> leaves = new TreeMap<>();
        flatten(node, "", leaves);
        return leaves;
    }

    private static void flatten(JsonNode node, String path, Map<String, Object> leaves) {
        if (node.isObject()) {
            node.properties().forEach(field -> flatten(field.getValue(), path + "/" + field.getKey(), leaves));
        } else if (node.isArray() && path.endsWith("/required")) {
            List<String> names = new ArrayList<>();
            node.forEach(name -> names.add(name.asText()));
            leaves.put(path, new TreeSet<>(names));
        } else if (node.isArray()) {
            for (int i = 0; i < node.size(); i++) {
                flatten(node.get(i), path + "/" + i, leaves);
            }
        } else {
            leaves.put(path, node.isNumber() ? (Object) node.doubleValue() : node.asText());
        }
    }
}
