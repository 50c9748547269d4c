package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.Usage;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.test.context.TestPropertySource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Sinks;

/** Limits of size, time and number, and what happens when a client leaves. */
@TestPropertySource(
        properties = {
            "idefics.web.max-body-size=64KB",
            "idefics.web.body-timeout=300ms",
            "idefics.web.keep-alive-interval=50ms",
            "idefics.admission.max-concurrent-requests=1"
        })
class LimitsIT extends WebServerTest {

    private static final int LIMIT = 64 * 1024;

    @Autowired
    ConcurrencyLimiter limiter;

    /** The connection of the test before may be done a moment after that test. */
    @BeforeEach
    void awaitRoom() {
        assertEventuallyAdmits();
    }

    @Test
    void post_bodyOfTheLimit_isTheLast() {
        String exact = HELLO + " ".repeat(LIMIT - HELLO.length());

        post(exact).expectStatus().isOk();
        byte[] body = post(exact + " ")
                .expectStatus()
                .isEqualTo(413)
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(error(body).get("message").asText())
                .isEqualTo("The body has 65537 bytes but may have at most 65536.");
        assertThat(error(body).get("code").asText()).isEqualTo("body_too_large");
    }

    @Test
    void post_hugeDeclaredLength_isRefusedBeforeTheBody() throws IOException {
        assertThat(statusOf("Content-Length: 10000000000\r\n\r\n")).isEqualTo("HTTP/1.1 413 ");
    }

    @Test
    void post_chunkedBodyBeyondTheLimit_isRefusedWhileItComes() throws IOException {
        String chunk = "8000\r\n" + " ".repeat(0x8000) + "\r\n";

        assertThat(statusOf("Transfer-Encoding: chunked\r\n\r\n" + chunk.repeat(3)))
                .isEqualTo("HTTP/1.1 413 ");
    }

    @Test
    void post_slowBody_timesOutAndClosesTheConnection() throws IOException {
        try (Socket socket = open("Content-Length: 100\r\n\r\n{")) {
            String response = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

            assertThat(response).startsWith("HTTP/1.1 408 ");
            String body = response.substring(response.indexOf("\r\n\r\n") + 4);
            assertThat(error(body.getBytes(StandardCharsets.UTF_8))
                            .get("message")
                            .asText())
                    .isEqualTo("The body did not arrive within 300 ms.");
        }
    }

    @Test
    void stream_silence_sendsCommentsAndThenTheAnswer() throws IOException {
        Sinks.Many<GenerationEvent> answer = Sinks.many().unicast().onBackpressureBuffer();
        service.script(request -> answer.asFlux());

        try (Socket socket = open("Content-Length: " + HELLO_STREAM.length() + "\r\n\r\n" + HELLO_STREAM)) {
            readUntil(socket.getInputStream(), ": keep-alive\n\n");
            answer.tryEmitNext(new TextDelta(0, "late"));
            readUntil(socket.getInputStream(), "\"late\"");
            readUntil(socket.getInputStream(), ": keep-alive\n\n");
            answer.tryEmitNext(new ChoiceEnded(0, FinishReason.END_TOKEN));
            answer.tryEmitNext(new Completed(new Usage(1, 0, 0, 1)));
            answer.tryEmitComplete();
            readUntil(socket.getInputStream(), "data: [DONE]\n\n");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {HELLO, HELLO_STREAM})
    void complete_clientLeaves_cancelsAndMakesRoom(String body) throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch cancelled = new CountDownLatch(1);
        service.script(request -> Flux.<GenerationEvent>just(new TextDelta(0, "a"))
                .concatWith(Flux.never())
                .doOnRequest(n -> asked.countDown())
                .doOnCancel(cancelled::countDown));

        try (Socket socket = open("Content-Length: " + body.length() + "\r\n\r\n" + body)) {
            assertThat(asked.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(limiter.available()).isZero();
        }

        assertThat(cancelled.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertEventuallyAdmits();
    }

    @ParameterizedTest
    @ValueSource(strings = {HELLO, HELLO_STREAM})
    void complete_manyClientsLeaveAtAnyMoment_leavesNothingRunning(String body) throws Exception {
        service.script(
                request -> Flux.<GenerationEvent>just(new TextDelta(0, "a")).concatWith(Flux.never()));
        Random moments = new Random(7);

        for (int i = 0; i < 100; i++) {
            try (Socket socket = open("Content-Length: " + body.length() + "\r\n\r\n" + body)) {
                long until = System.nanoTime() + moments.nextInt(4_000_000);
                while (System.nanoTime() < until) {
                    Thread.onSpinWait();
                }
            }
        }

        assertEventuallyAdmits();
        assertEventually(() -> service.active() == 0);
    }

    @Test
    void complete_noRoom_isOverloadedUntilTheFirstIsDone() throws Exception {
        Sinks.Many<GenerationEvent> answer = Sinks.many().unicast().onBackpressureBuffer();
        CountDownLatch asked = new CountDownLatch(1);
        String first = HELLO_STREAM.replace("\"stream\":true", "\"stream\":true,\"max_tokens\":77");
        // A request of another test that was given up may still arrive.
        service.script(request -> request.stopping().maxTokens().orElse(0) == 77
                ? answer.asFlux().doOnSubscribe(subscription -> asked.countDown())
                : ScriptedCompletionService.echo(request));
        assertEventuallyAdmits();

        try (Socket socket = open("Content-Length: " + first.length() + "\r\n\r\n" + first)) {
            assertThat(asked.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            byte[] body = post("not even read")
                    .expectStatus()
                    .isEqualTo(503)
                    .expectHeader()
                    .valueEquals("retry-after", "1")
                    .expectBody()
                    .returnResult()
                    .getResponseBody();
            assertThat(error(body).get("code").asText()).isEqualTo("overloaded");
            client.get().uri("/v1/models").exchange().expectStatus().isOk();

            answer.tryEmitNext(new ChoiceEnded(0, FinishReason.END_TOKEN));
            answer.tryEmitNext(new Completed(new Usage(1, 0, 0, 1)));
            answer.tryEmitComplete();
            readUntil(socket.getInputStream(), "data: [DONE]\n\n");
        }

        service.reset();
        assertEventuallyAdmits();
    }

    @Test
    void complete_refusedAgainAndAgain_losesNoPermit() {
        for (int i = 0; i < 5; i++) {
            post("{").expectStatus().isBadRequest();
            service.script(request -> Flux.error(new IllegalStateException("x")));
            post(HELLO).expectStatus().isEqualTo(500);
            service.reset();
        }

        assertEventuallyAdmits();
    }

    /** The permit is given back when the connection is done, which the client may see a moment earlier. */
    private void assertEventuallyAdmits() {
        assertEventually(() -> limiter.available() == 1);
    }

    private static void assertEventually(BooleanSupplier condition) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean() && System.nanoTime() < deadline) {
            Thread.onSpinWait();
        }
        assertThat(condition.getAsBoolean()).isTrue();
    }

    private String statusOf(String rest) throws IOException {
        try (Socket socket = open(rest)) {
            return new String(socket.getInputStream().readNBytes(13), StandardCharsets.US_ASCII);
        }
    }

    private Socket open(String rest) throws IOException {
        Socket socket = new Socket("localhost", port);
        socket.setSoTimeout((int) PATIENCE.toMillis());
        OutputStream out = socket.getOutputStream();
        String head = "POST " + CHAT + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        out.write((head + rest).getBytes(StandardCharsets.US_ASCII));
        out.flush();
        return socket;
    }

    private static void readUntil(InputStream in, String end) throws IOException {
        StringBuilder text = new StringBuilder();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (text.indexOf(end) < 0) {
            assertThat(System.nanoTime()).as("too late for %s", end).isLessThan(deadline);
            int next = in.read();
            assertThat(next).as("end of the stream after: %s", text).isNotNegative();
            text.append((char) next);
        }
    }
}
