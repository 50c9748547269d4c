package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.admission.Permit;
import io.idefics.generation.Priority;
import io.idefics.service.EngineProbe;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** An engine that is stuck in a step holds up those who wait for its tokens, and nobody else. */
class EngineHangIT extends RunningServer {

    private static final Duration AT_ONCE = Duration.ofSeconds(5);

    @Test
    void health_whileTheEngineIsStuck_answersAtOnce() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        List<CompletableFuture<HttpResponse<String>>> waiting;
        try {
            CountDownLatch held = EngineProbe.holdOne(registry.hosts().get(0), gate);
            assertThat(held.await(20, TimeUnit.SECONDS)).isTrue();
            String body = request(userMessage("Hi")).put("max_tokens", 2).toString();
            waiting = IntStream.range(0, 20).mapToObj(i -> postAsync(body)).toList();

            for (String path : List.of("/actuator/health/liveness", "/actuator/health/readiness", "/v1/models")) {
                assertThat(get(path).statusCode()).as(path).isEqualTo(200);
            }
            assertThat(waiting).noneMatch(CompletableFuture::isDone);
        } finally {
            gate.countDown();
        }
        for (CompletableFuture<HttpResponse<String>> answer : waiting) {
            assertThat(answer.get(60, TimeUnit.SECONDS).statusCode()).isEqualTo(200);
        }
        awaitIdle(PATIENCE);
    }

    @Test
    void health_everyPlaceTakenAndManyWaiting_answersAtOnce() throws Exception {
        CountDownLatch gate = new CountDownLatch(1);
        List<CompletableFuture<HttpResponse<String>>> waiting;
        try {
            CountDownLatch held = EngineProbe.holdOne(registry.hosts().get(0), gate);
            assertThat(held.await(20, TimeUnit.SECONDS)).isTrue();
            String body = request(userMessage("Hi")).put("max_tokens", 2).toString();
            waiting = IntStream.range(0, 63).mapToObj(i -> postAsync(body)).toList();
            await().atMost(PATIENCE).until(() -> limiter.available() <= 1);
            try (Permit last = limiter.acquire(Priority.NORMAL)) {
                assertThat(post(body).statusCode()).isEqualTo(503);
                for (String path : List.of("/actuator/health/liveness", "/actuator/health/readiness")) {
                    assertThat(get(path).statusCode()).as(path).isEqualTo(200);
                }
            }
        } finally {
            gate.countDown();
        }
        for (CompletableFuture<HttpResponse<String>> answer : waiting) {
            assertThat(answer.get(60, TimeUnit.SECONDS).statusCode()).isEqualTo(200);
        }
        awaitIdle(PATIENCE);
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
                .timeout(AT_ONCE)
                .build();
        return HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
    }
}
