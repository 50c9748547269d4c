package io.idefics.web.anthropic;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.web.MalformedRequest;
import io.idefics.web.WebServerTest;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of what clients of the Messages API get wrong, and how they are told. */
class MalformedMessagesIT extends WebServerTest {

    static Stream<Named<MalformedRequest>> requests() {
        return MalformedRequest.table("/contract/malformed-messages.json", "/v1/messages");
    }

    @ParameterizedTest
    @MethodSource("requests")
    void post_malformedRequest_namesTheField(MalformedRequest request) {
        JsonNode answer = json(new String(refused(request), StandardCharsets.UTF_8));

        assertThat(answer.fieldNames()).toIterable().containsExactly("type", "error", "request_id");
        assertThat(answer.get("type").asText()).isEqualTo("error");
        assertThat(answer.get("request_id").asText()).isNotBlank();
        JsonNode error = answer.get("error");
        assertThat(error.fieldNames()).toIterable().containsExactly("type", "message");
        assertThat(error.get("type")).isEqualTo(request.expected().get("type"));
        assertThat(error.get("message").asText())
                .contains(request.expected().get("mentions").asText());
        assertPlain(error.get("message").asText());
    }
}
