package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.testing.SsrfCase;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * References that lead to the loopback in some reading are refused by the real service, and nobody connects to the
 * listeners there, although their port is one that pictures may be fetched from.
 */
class SsrfCasesIT extends RunningServer {

    private static final Duration SOON = Duration.ofSeconds(3);

    static Stream<SsrfCase> cases() {
        return SsrfCase.all().filter(ssrf -> ssrf.e2eUrl() != null);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void post_referenceToTheLoopback_isRefusedWithoutAConnection(SsrfCase ssrf) {
        String url = ssrf.e2eUrl()
                .replace("{PORT}", String.valueOf(IMAGE_HOST.port()))
                .replace("{GEN:a*9000}", "a".repeat(9000));
        long start = System.nanoTime();

        HttpResponse<String> response =
                post(request(userMessage("What is this?", url)).toString());

        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
        JsonNode error = json(response).get("error");
        assertThat(error.get("code").textValue()).isEqualTo("invalid_image_url");
        assertThat(error.get("param").textValue()).isEqualTo("messages[0].content[0].image_url.url");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(SOON);
    }

    @AfterEach
    void nobodyHasConnected() {
        assertThat(IMAGE_HOST.canaryConnections()).isZero();
    }
}
