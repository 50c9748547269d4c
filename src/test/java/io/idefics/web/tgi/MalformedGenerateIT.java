package io.idefics.web.tgi;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.web.MalformedRequest;
import io.idefics.web.WebServerTest;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The table of what clients of text-generation-inference get wrong, and how they are told. */
class MalformedGenerateIT extends WebServerTest {

    static Stream<Named<MalformedRequest>> requests() {
        return MalformedRequest.table("/contract/malformed-generate.json", "/generate");
    }

    @ParameterizedTest
    @MethodSource("requests")
    void post_malformedRequest_namesTheField(MalformedRequest request) {
        JsonNode error = json(new String(refused(request), StandardCharsets.UTF_8));

        assertThat(error.fieldNames()).toIterable().containsExactly("error", "error_type");
        assertThat(error.get("error_type").asText()).isEqualTo("validation");
        assertThat(error.get("error").asText())
                .contains(request.expected().get("mentions").asText());
        assertPlain(error.get("error").asText());
    }
}
