package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URI;
import org.junit.jupiter.api.Test;

/** What the server tells of the built-in model, and that answers bear its fingerprint. */
class ModelInformationIT extends RunningServer {

    @Test
    void model_builtIn_saysThatItIsSmallAndFree() throws IOException {
        JsonNode model = JSON.readTree(URI.create("http://localhost:" + port + "/v1/models/" + modelId())
                .toURL());

        assertThat(model.get("description").asText()).contains("small demonstration model");
        assertThat(model.at("/license/id").asText()).isEqualTo("Apache-2.0");
        assertThat(model.at("/license/url").asText()).isEqualTo("https://www.apache.org/licenses/LICENSE-2.0");
        assertThat(model.get("model_card").isNull()).isTrue();
        assertThat(model.get("variant").asText()).isEqualTo("instruct");
        assertThat(model.get("dtype").asText()).isEqualTo("float32");
        assertThat(model.get("parameters").asLong()).isBetween(5_000_000L, 6_000_000L);
        assertThat(model.get("max_model_len")).isEqualTo(model.get("context_length"));
    }

    @Test
    void answers_sameModel_bearTheSameFingerprint() {
        String body = request(userMessage("Hello!")).put("max_tokens", 1).toString();

        String first = json(post(body)).get("system_fingerprint").asText();

        assertThat(first).matches("fp_[0-9a-f]{10}");
        assertThat(json(post(body)).get("system_fingerprint").asText()).isEqualTo(first);
    }
}
