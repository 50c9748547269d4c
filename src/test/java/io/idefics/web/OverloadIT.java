package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Permit;
import io.idefics.admission.Refusal;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.Priority;
import io.idefics.generation.Work;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.test.context.TestPropertySource;
import org.springframework.test.web.reactive.server.WebTestClient;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** What clients get where there is no room for their requests or for their work, in each dialect. */
@TestPropertySource(
        properties = {"idefics.admission.max-concurrent-requests=4", "idefics.admission.max-admitted-tokens=1000"})
class OverloadIT extends WebServerTest {

    /** What each request of these tests asks for: 164 tokens. */
    private static final Work WORK = new Work(50, 50, 1);

    @Autowired
    ConcurrencyLimiter limiter;

    private final List<Permit> others = new ArrayList<>();

    /** A way to ask, and how it says that there is no room. */
    private record Dialect(String path, String body, int overloaded, int tooMuch) {

        @Override
        public String toString() {
            return path + (body.contains("\"stream\":true") ? " as a stream" : "");
        }
    }

    static Stream<Dialect> dialects() {
        String messages = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";
        return Stream.of(
                        new Dialect(CHAT, "{" + messages + "}", 503, 400),
                        new Dialect("/v1/completions", "{\"prompt\":\"hi\"}", 503, 400),
                        new Dialect("/v1/responses", "{\"input\":\"hi\"}", 503, 400),
                        new Dialect(
                                "/v1/messages",
                                "{\"model\":\"" + ScriptedCompletionService.MODEL + "\",\"max_tokens\":9," + messages
                                        + "}",
                                529,
                                400),
                        new Dialect("/generate", "{\"inputs\":\"hi\"}", 429, 422))
                .flatMap(dialect -> Stream.of(
                        dialect,
                        new Dialect(
                                dialect.path().equals("/generate") ? "/generate_stream" : dialect.path(),
                                dialect.body().replaceFirst("\\{", "{\"stream\":true,"),
                                dialect.overloaded(),
                                dialect.tooMuch())));
    }

    /** The service as it is, as far as admission is concerned, with room that is kept for requests of high priority. */
    @BeforeEach
    void reserveBeforeAnswering() {
        awaitEmpty();
        limiter.acquire(Priority.HIGH).close();
        service.script(request -> reserved(request.client().account().reserve(WORK))
                .thenMany(Flux.defer(() -> ScriptedCompletionService.echoWithTokens(request))));
    }

    @AfterEach
    void leave() {
        others.forEach(Permit::close);
        awaitEmpty();
    }

    @ParameterizedTest
    @MethodSource("dialects")
    void post_noRoomForItsWork_isRefusedAtOnceUntilThereIs(Dialect dialect) {
        long before = limiter.refused(Refusal.WORK);
        enter(837);

        assertRefused(dialect, dialect.overloaded(), "no room left for the 164 tokens");
        assertThat(limiter.refused(Refusal.WORK)).isEqualTo(before + 1);
        await().atMost(PATIENCE).until(() -> limiter.tokens() == 837);
        assertHealthy();

        others.get(0).close();
        post(dialect.path(), dialect.body()).expectStatus().isOk();
    }

    @ParameterizedTest
    @MethodSource("dialects")
    void post_noRoomForTheRequest_isRefusedBeforeItIsRead(Dialect dialect) {
        for (int i = 0; i < 3; i++) {
            enter(0);
        }

        Dialect unread = new Dialect(dialect.path(), "not even read", dialect.overloaded(), 0);
        assertRefused(unread, dialect.overloaded(), "busy with 3 requests, the most it admits of this priority");
        assertThat(service.calls()).isZero();
        assertHealthy();

        others.get(0).close();
        post(dialect.path(), dialect.body()).expectStatus().isOk();
    }

    @ParameterizedTest
    @MethodSource("dialects")
    void post_moreWorkThanThereEverIs_isTheMistakeOfTheClient(Dialect dialect) {
        service.script(request -> reserved(request.client().account().reserve(new Work(1, 1000, 0)))
                .thenMany(Flux.error(new AssertionError("admitted"))));

        String answer = new String(
                post(dialect.path(), dialect.body())
                        .expectStatus()
                        .isEqualTo(dialect.tooMuch())
                        .expectHeader()
                        .doesNotExist("retry-after")
                        .expectBody()
                        .returnResult()
                        .getResponseBody(),
                StandardCharsets.UTF_8);

        assertThat(answer).contains("may take 1001 tokens", "at most 950 at a time");
    }

    @Test
    void post_lowerPrioritiesHaveFilledTheirShare_normalOnesAreAdmitted() {
        others.add(limiter.acquire(Priority.HIGH));
        for (int i = 0; i < 2; i++) {
            others.add(limiter.acquire(Priority.LOW));
        }

        post(HELLO).expectStatus().isEqualTo(503); // the share of normal requests is 3 of 4
        others.get(1).close();
        post(HELLO).expectStatus().isOk();
    }

    @Test
    void post_withoutAKey_isOfNormalPriority() {
        post(HELLO).expectStatus().isOk();

        assertThat(service.lastRequest().client().priority()).isEqualTo(Priority.NORMAL);
    }

    @Test
    void post_clientLeavesWhileItWaits_givesItsWorkBack() throws Exception {
        AtomicBoolean cancelled = new AtomicBoolean();
        service.script(request -> reserved(request.client().account().reserve(WORK))
                .thenMany(Flux.<GenerationEvent>never().doOnCancel(() -> cancelled.set(true))));

        try (Socket socket = new Socket("localhost", port)) {
            OutputStream out = socket.getOutputStream();
            out.write(("POST " + CHAT
                            + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                            + HELLO.length() + "\r\n\r\n" + HELLO)
                    .getBytes(StandardCharsets.US_ASCII));
            out.flush();
            await().atMost(PATIENCE).until(() -> limiter.tokens() == 164);
        }

        await().atMost(PATIENCE).untilTrue(cancelled);
        awaitEmpty();
    }

    private void assertRefused(Dialect dialect, int status, String message) {
        WebTestClient.ResponseSpec response = post(dialect.path(), dialect.body())
                .expectStatus()
                .isEqualTo(status)
                .expectHeader()
                .valueEquals("retry-after", "1")
                .expectHeader()
                .valueEquals("retry-after-ms", "1000");
        byte[] body = response.expectBody().returnResult().getResponseBody();
        assertThat(new String(body, StandardCharsets.UTF_8)).contains("overloaded", message);
    }

    /** Whoever looks after the service must not take it away because it is busy. */
    private void assertHealthy() {
        for (String path : List.of(
                "/actuator/health",
                "/actuator/health/liveness",
                "/actuator/health/readiness",
                "/health",
                "/v1/models")) {
            client.get().uri(path).exchange().expectStatus().isOk();
        }
    }

    /** Another request, of so many tokens. */
    private void enter(int tokens) {
        Permit permit = limiter.acquire(Priority.NORMAL);
        others.add(permit);
        assertThat(permit.reserve(new Work(tokens, 0, 0))).isCompleted();
    }

    /** The permit is given back when the connection is done, which the client may see a moment earlier. */
    private void awaitEmpty() {
        await().atMost(PATIENCE).until(() -> limiter.available() == 4 && limiter.tokens() == 0);
    }

    private static Mono<Void> reserved(CompletionStage<Void> reservation) {
        return Mono.fromCompletionStage(reservation);
    }
}
