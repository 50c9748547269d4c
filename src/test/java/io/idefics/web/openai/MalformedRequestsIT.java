package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.web.MalformedRequest;
import io.idefics.web.WebServerTest;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of what clients of OpenAI's and vLLM's endpoints get wrong, and how they are told. */
class MalformedRequestsIT extends WebServerTest {

    static Stream<Named<MalformedRequest>> requests() {
        return MalformedRequest.table("/contract/malformed-requests.json", CHAT);
    }

    @ParameterizedTest
    @MethodSource("requests")
    void post_malformedRequest_namesTheField(MalformedRequest request) {
        JsonNode error = error(refused(request));

        assertThat(error.get("param")).isEqualTo(request.expected().get("param"));
        assertThat(error.get("code")).isEqualTo(request.expected().get("code"));
        assertThat(error.get("type").asText()).isEqualTo("invalid_request_error");
        assertPlain(error.get("message").asText());
    }
}
