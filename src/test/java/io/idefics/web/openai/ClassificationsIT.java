package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.web.WebServerTest;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.MediaType;
import org.springframework.test.web.reactive.server.WebTestClient;

/** Classifications as they are on the wire. */
class ClassificationsIT extends WebServerTest {

    private static final String MESSAGES = "\"messages\":[{\"role\":\"user\",\"content\":\"What is it?\"}]";

    @Test
    void classify_twoChoices_tellsBoth() {
        byte[] body = classify("{" + MESSAGES + ",\"choices\":[\"a dog\",\"a cat\"]}")
                .expectStatus()
                .isOk()
                .expectHeader()
                .contentType("application/json")
                .expectHeader()
                .valueMatches("openai-processing-ms", "[0-9]+")
                .expectBody()
                .returnResult()
                .getResponseBody();

        double logprob = -Math.log(2);
        assertThat(new String(body, StandardCharsets.UTF_8)
                        .replaceAll("classify-[0-9a-f]{32}", "ID")
                        .replaceAll("fp_[0-9a-f]{10}", "FP")
                        .replaceAll("\"created\":[0-9]{10}", "\"created\":0"))
                .isEqualTo("{\"id\":\"ID\",\"object\":\"classification\",\"created\":0,\"model\":\"org/mini-model\","
                        + "\"system_fingerprint\":\"FP\",\"choices\":["
                        + "{\"index\":0,\"text\":\"a dog\",\"logprob\":" + logprob
                        + ",\"probability\":0.5,\"tokens\":2},"
                        + "{\"index\":1,\"text\":\"a cat\",\"logprob\":" + logprob
                        + ",\"probability\":0.5,\"tokens\":2}],\"best\":0,"
                        + "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":0,\"total_tokens\":9,"
                        + "\"prompt_tokens_details\":{\"cached_tokens\":0,\"image_tokens\":0}}}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|choices",
                "'\"choices\":[]'|choices",
                "'\"choices\":\"a\"'|choices",
                "'\"choices\":[\"a\",5]'|choices[1]",
                "'\"choices\":[\"\"]'|choices[0]",
                "'\"choices\":[\"a\",\" \"]'|choices[1]",
                "'\"choices\":[\"a\"],\"model\":\"nope\"'|model"
            })
    void classify_wrongValue_isRefusedByName(String fields, String param) {
        byte[] body = classify("{" + MESSAGES + (fields.isEmpty() ? "" : ",") + fields + "}")
                .expectStatus()
                .is4xxClientError()
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(error(body).get("param").asText()).isEqualTo(param);
    }

    @ParameterizedTest
    @ValueSource(ints = {100, 101})
    void classify_manyChoices_areAcceptedUpToTheLimit(int count) {
        String choices = String.join(",", Collections.nCopies(count, "\"a\""));

        classify("{" + MESSAGES + ",\"choices\":[" + choices + "]}")
                .expectStatus()
                .isEqualTo(count <= 100 ? 200 : 400);
    }

    @Test
    void classify_noMessages_isRefused() {
        byte[] body = classify("{\"choices\":[\"a\"]}")
                .expectStatus()
                .isBadRequest()
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(error(body).get("param").asText()).isEqualTo("messages");
    }

    @Test
    void classify_otherMethod_isNotAllowed() {
        client.get()
                .uri("/v1/classify")
                .exchange()
                .expectStatus()
                .isEqualTo(405)
                .expectHeader()
                .valueEquals("allow", "POST");
    }

    private WebTestClient.ResponseSpec classify(String body) {
        return client.post()
                .uri("/v1/classify")
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(body)
                .exchange();
    }
}
