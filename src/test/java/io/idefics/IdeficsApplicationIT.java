package io.idefics;

import static org.awaitility.Awaitility.await;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.test.web.reactive.server.WebTestClient;

/** Boots the application as it is shipped, with nothing configured. */
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT)
class IdeficsApplicationIT {

    @Autowired
    private WebTestClient client;

    @Test
    void health_nothingConfigured_isUp() {
        // The model is loaded while the server already answers.
        await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> client.get()
                .uri("/actuator/health")
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody()
                .jsonPath("$.status")
                .isEqualTo("UP"));
    }
}
