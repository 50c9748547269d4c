package io.idefics.observability;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpStatus;
import org.springframework.http.server.reactive.HttpHandler;
import org.springframework.mock.http.server.reactive.MockServerHttpRequest;
import org.springframework.mock.http.server.reactive.MockServerHttpResponse;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;

class RequestLogTest {

    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final Logger logger = (Logger) LoggerFactory.getLogger("io.idefics.access");
    private final ListAppender<ILoggingEvent> lines = new ListAppender<>();
    private final MockServerHttpResponse response = new MockServerHttpResponse();

    @BeforeEach
    void listen() {
        lines.start();
        logger.addAppender(lines);
    }

    @AfterEach
    void stop() {
        logger.detachAppender(lines);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "3f1c.2_b-4", "trace/1:2=@+"})
    void id_harmless_isKept(String given) {
        assertThat(RequestLog.id(given)).isEqualTo(given);
        assertThat(RequestLog.id("x".repeat(128))).isEqualTo("x".repeat(128));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "a b", "a\tb", "<script>", "a\nb", "é", "a;b", "a\"b", "${x}"})
    void id_harmful_isReplaced(String given) {
        assertThat(RequestLog.id(given)).matches("req_[0-9a-f]{32}");
        assertThat(RequestLog.id("x".repeat(129))).matches("req_[0-9a-f]{32}");
        assertThat(RequestLog.id(null)).isNotEqualTo(RequestLog.id(null));
    }

    @Test
    void apply_answered_writesOneLineWithoutQuery() {
        handle("/v1/models?key=secret", (request, answer) -> {
            answer.setStatusCode(HttpStatus.NOT_FOUND);
            return answer.setComplete();
        });

        assertThat(lines.list).hasSize(1);
        assertThat(lines.list.get(0).getFormattedMessage()).matches("GET /v1/models 404 [0-9]+ ms");
        assertThat(lines.list.get(0).getMDCPropertyMap()).containsEntry("requestId", "abc");
        assertThat(response.getHeaders().getFirst("x-request-id")).isEqualTo("abc");
    }

    @Test
    void apply_clientLeft_saysSo() {
        HttpHandler handler = new RequestLog().apply((request, answer) -> Mono.never());

        StepVerifier.create(handler.handle(request("/a"), response))
                .expectSubscription()
                .thenCancel()
                .verify(PATIENCE);

        assertThat(lines.list.get(0).getFormattedMessage()).matches("GET /a - [0-9]+ ms \\(client left\\)");
    }

    @Test
    void apply_longPath_isCut() {
        handle("/" + "x".repeat(300), (request, answer) -> answer.setComplete());

        assertThat(lines.list.get(0).getFormattedMessage()).contains("x".repeat(199) + "... ");
    }

    @Test
    void apply_whatMustNotReachATerminal_isReplaced() {
        MockServerHttpRequest request = MockServerHttpRequest.method(
                        HttpMethod.valueOf("X".repeat(100)), URI.create("/a\u00adb\u202ec"))
                .build();

        StepVerifier.create(new RequestLog()
                        .apply((given, answer) -> answer.setComplete())
                        .handle(request, response))
                .expectComplete()
                .verify(PATIENCE);

        assertThat(lines.list.get(0).getFormattedMessage()).startsWith("X".repeat(16) + "... /a?b?c ");
    }

    @Test
    void apply_anyRequest_putsTheIdInTheContext() {
        AtomicReference<String> seen = new AtomicReference<>();
        handle(
                "/",
                (request, answer) -> Mono.deferContextual(context -> {
                    seen.set(context.get(RequestLog.REQUEST_ID));
                    return answer.setComplete();
                }));

        assertThat(seen).hasValue("abc");
    }

    private void handle(String path, HttpHandler handler) {
        StepVerifier.create(new RequestLog().apply(handler).handle(request(path), response))
                .expectComplete()
                .verify(PATIENCE);
    }

    private static MockServerHttpRequest request(String path) {
        return MockServerHttpRequest.get(path).header("X-Request-Id", "abc").build();
    }
}
