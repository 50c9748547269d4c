package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.springframework.http.MediaType;
import org.springframework.test.context.TestPropertySource;

/** The bill of materials, which the build writes and whoever wants can expose. */
@TestPropertySource(properties = "management.endpoints.web.exposure.include=health,sbom")
class SbomIT extends WebServerTest {

    @Test
    void get_exposedBillOfMaterials_namesWhatIsInTheJar() {
        byte[] body = client.mutate()
                .codecs(codecs -> codecs.defaultCodecs().maxInMemorySize(1 << 24))
                .build()
                .get()
                .uri("/actuator/sbom/application")
                .accept(MediaType.ALL)
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody()
                .returnResult()
                .getResponseBody();

        JsonNode bill = json(new String(body, StandardCharsets.UTF_8));
        assertThat(bill.get("bomFormat").asText()).isEqualTo("CycloneDX");
        assertThat(bill.has("serialNumber")).isFalse();
        assertThat(bill.at("/metadata/component/name").asText()).isEqualTo("idefics-server");
        assertThat(bill.get("components").findValuesAsText("name"))
                .contains("netty-codec-http", "jackson-databind", "tokenizers", "pytorch-jni")
                .doesNotContain("junit-jupiter-api", "openai-java");
    }
}
