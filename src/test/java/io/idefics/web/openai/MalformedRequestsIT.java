package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.web.WebServerTest;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of what clients get wrong, and how they are told. */
class MalformedRequestsIT extends WebServerTest {

    static Stream<Named<JsonNode>> requests() {
        JsonNode table = json(resource("/contract/malformed-requests.json"));
        return StreamSupport.stream(table.spliterator(), false)
                .map(row -> Named.of(row.get("name").asText(), row));
    }

    @ParameterizedTest
    @MethodSource("requests")
    void complete_malformedRequest_namesTheField(JsonNode row) {
        JsonNode body = row.get("body");

        var result = post(
                        row.path("path").asText("/v1/chat/completions"),
                        body.isTextual() ? body.textValue() : body.toString())
                .expectStatus()
                .isEqualTo(row.get("status").asInt())
                .expectHeader()
                .contentType("application/json")
                .expectHeader()
                .exists("x-request-id")
                .expectBody()
                .returnResult();

        JsonNode error = error(result.getResponseBody());
        assertThat(error.get("param")).isEqualTo(row.get("param"));
        assertThat(error.get("code")).isEqualTo(row.get("code"));
        assertThat(error.get("type").asText()).isEqualTo("invalid_request_error");
        assertThat(error.get("message").asText())
                .isNotBlank()
                .hasSizeLessThan(300)
                .doesNotContain("Exception", "com.fasterxml", "java.");
        assertThat(service.lastRequest()).isNull();
    }
}
