package io.idefics.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.testing.OpenApiContract.Exchange;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.reactivestreams.Publisher;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.HttpHandler;
import org.springframework.http.server.reactive.HttpHandlerDecoratorFactory;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpRequestDecorator;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.http.server.reactive.ServerHttpResponseDecorator;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Listens in every server that a test boots in its own process, and fails the test in which something went over the wire
 * that is not as the description of the interface says. Spring finds it as an auto-configuration and JUnit as an
 * extension, so that tests need to do nothing for it.
 */
@AutoConfiguration
public class ContractRecorder implements HttpHandlerDecoratorFactory, AfterEachCallback {

    /** Longer bodies are those of tests of limits. */
    private static final int MAX_BYTES = 1 << 20;

    /** What the log says of requests that nobody waits for any more. */
    private static final int CLIENT_LEFT = 499;

    private static final Queue<String> VIOLATIONS = new ConcurrentLinkedQueue<>();

    /** Read by tests with a server only. */
    private static final class Published {
        static final OpenApiContract CONTRACT = OpenApiContract.published();
    }

    @Override
    public void afterEach(ExtensionContext context) {
        assertThat(takeViolations()).as("not as openapi.yaml describes it").isEmpty();
    }

    /** What was found since the last call. */
    public static List<String> takeViolations() {
        List<String> taken = new ArrayList<>();
        for (String next = VIOLATIONS.poll(); next != null; next = VIOLATIONS.poll()) {
            taken.add(next);
        }
        return taken;
    }

    @Override
    public HttpHandler apply(HttpHandler handler) {
        return (request, response) -> {
            Recording recording = new Recording(request, response);
            return handler.handle(recording.request(), recording.response())
                    .doFinally(signal -> recording.endIfAnswered());
        };
    }

    /** Bytes that passed. */
    private static final class Copy {

        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private boolean tooLong;

        synchronized void add(DataBuffer buffer) {
            if (bytes.size() + buffer.readableByteCount() > MAX_BYTES) {
                tooLong = true;
                return;
            }
            byte[] copy = new byte[buffer.readableByteCount()];
            buffer.toByteBuffer(ByteBuffer.wrap(copy));
            bytes.writeBytes(copy);
        }

        synchronized boolean isWhole() {
            return !tooLong;
        }

        synchronized String text() {
            return bytes.toString(StandardCharsets.UTF_8);
        }
    }

    /** One exchange, which is checked before the client has seen its last byte where that can be known. */
    private static final class Recording {

        private final ServerHttpRequest request;
        private final ServerHttpResponse response;
        private final Copy requestBody = new Copy();
        private final Copy answer = new Copy();
        private final AtomicBoolean ended = new AtomicBoolean();

        Recording(ServerHttpRequest request, ServerHttpResponse response) {
            this.request = request;
            this.response = response;
        }

        ServerHttpRequest request() {
            return new ServerHttpRequestDecorator(request) {
                @Override
                public Flux<DataBuffer> getBody() {
                    return super.getBody().doOnNext(requestBody::add);
                }
            };
        }

        ServerHttpResponse response() {
            return new ServerHttpResponseDecorator(response) {
                @Override
                public Mono<Void> writeWith(Publisher<? extends DataBuffer> body) {
                    return super.writeWith(
                            body instanceof Mono<? extends DataBuffer> mono
                                    ? mono.doOnNext(Recording.this::last)
                                    : Flux.from(body).doOnNext(answer::add).doOnComplete(Recording.this::end));
                }

                @Override
                public Mono<Void> writeAndFlushWith(Publisher<? extends Publisher<? extends DataBuffer>> body) {
                    return super.writeAndFlushWith(Flux.from(body)
                            .map(flushed -> Flux.from(flushed).doOnNext(answer::add))
                            .doOnComplete(Recording.this::end));
                }
            };
        }

        private void last(DataBuffer buffer) {
            answer.add(buffer);
            end();
        }

        /** A client that left before the answer has seen nothing of it. */
        private void endIfAnswered() {
            HttpStatusCode status = response.getStatusCode();
            if (response.isCommitted() && (status == null || status.value() != CLIENT_LEFT)) {
                end();
            }
        }

        private void end() {
            HttpStatusCode status = response.getStatusCode();
            boolean whole = requestBody.isWhole() && answer.isWhole();
            // 499 stands in the log alone: the client is gone.
            if (status == null || status.value() == 499 || !whole || !ended.compareAndSet(false, true)) {
                return;
            }
            MediaType type = response.getHeaders().getContentType();
            VIOLATIONS.addAll(Published.CONTRACT.violations(new Exchange(
                    request.getMethod().name(),
                    request.getURI().getRawPath(),
                    requestBody.text(),
                    status.value(),
                    type == null ? "" : type.getType() + "/" + type.getSubtype(),
                    answer.text())));
        }
    }
}
