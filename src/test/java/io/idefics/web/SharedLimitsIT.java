package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.admission.Limits;
import io.idefics.testing.TestRedis;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.web.reactive.context.ReactiveWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** Two servers that count together in one Redis. */
class SharedLimitsIT extends WebServerTest {

    private static final int LIMIT = 100;
    private static final int REQUESTS = 2 * LIMIT;
    private static final TestRedis REDIS = new TestRedis();

    @Autowired
    Limits limits;

    @DynamicPropertySource
    static void share(DynamicPropertyRegistry properties) {
        properties.add("idefics.limits.redis.url", REDIS::url);
        properties.add("idefics.limits.redis.timeout", () -> "30s");
        properties.add("idefics.limits.requests-per-minute", () -> LIMIT);
    }

    @AfterAll
    static void stop() {
        REDIS.close();
    }

    @Test
    void requests_toBothServersAtTheSameTime_shareTheLimit() {
        SpringApplicationBuilder second = new SpringApplicationBuilder(WebTestApplication.class);
        try (ConfigurableApplicationContext other = second.run(
                "--server.port=0",
                "--idefics.limits.redis.url=" + REDIS.url(),
                "--idefics.limits.redis.timeout=30s",
                "--idefics.limits.requests-per-minute=" + LIMIT)) {
            int otherPort =
                    ((ReactiveWebServerApplicationContext) other).getWebServer().getPort();
            HttpClient http =
                    HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            List<CompletableFuture<HttpResponse<Void>>> answers = new ArrayList<>();
            for (int i = 0; i < REQUESTS; i++) {
                answers.add(http.sendAsync(request(i % 2 == 0 ? port : otherPort), BodyHandlers.discarding()));
                if (i % 20 == 19) {
                    answers.get(i).join(); // the servers admit only so many at the same time
                }
            }
            List<Integer> statuses = answers.stream()
                    .map(CompletableFuture::join)
                    .map(HttpResponse::statusCode)
                    .toList();

            assertThat(statuses).containsOnly(200, 429);
            assertThat(statuses.stream().filter(status -> status == 200)).hasSize(LIMIT);
            assertThat(limits.isRedisUp()).isTrue();
            assertThat(limits.redisFailures()).isZero();
        }
    }

    private static HttpRequest request(int port) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + CHAT))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(HELLO))
                .build();
    }
}
