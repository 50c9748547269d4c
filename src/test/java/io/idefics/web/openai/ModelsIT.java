package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.web.WebServerTest;
import java.net.URI;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.test.json.JsonCompareMode;

class ModelsIT extends WebServerTest {

    @Test
    void list_ready_matchesTranscript() {
        client.get()
                .uri("/v1/models")
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody()
                .json(resource("/contract/models.response.json"), JsonCompareMode.STRICT);
    }

    @Test
    void list_noModelReady_isEmpty() {
        service.models(List.of());

        client.get()
                .uri("/v1/models")
                .exchange()
                .expectBody()
                .json("{\"object\":\"list\",\"data\":[]}", JsonCompareMode.STRICT);
        post(HELLO).expectStatus().isEqualTo(503).expectHeader().exists("retry-after");
    }

    @ParameterizedTest
    @ValueSource(strings = {"org/mini-model", "org%2Fmini-model", "org%2fmini-model"})
    void get_idWithSlash_isFoundInAnySpelling(String id) {
        client.get()
                .uri(URI.create("http://localhost:" + port + "/v1/models/" + id))
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody()
                .json(
                        "{\"id\":\"org/mini-model\",\"object\":\"model\",\"created\":1700000000,"
                                + "\"owned_by\":\"idefics\",\"max_model_len\":2048}",
                        JsonCompareMode.LENIENT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"nope", "org", "%2e%2e/%2e%2e/actuator/env", "%00", "%ff", "org/mini-model/"})
    void get_unknownId_isNotFound(String id) {
        byte[] body = client.get()
                .uri(URI.create("http://localhost:" + port + "/v1/models/" + id))
                .exchange()
                .expectStatus()
                .isNotFound()
                .expectBody()
                .returnResult()
                .getResponseBody();

        JsonNode error = error(body);
        assertThat(error.get("code").asText()).isEqualTo("model_not_found");
        assertThat(error.get("param").asText()).isEqualTo("model");
    }
}
