package io.idefics.web.openai;

import io.idefics.web.ApiError;
import io.idefics.web.ErrorTable;
import io.idefics.web.KeepAlive;
import io.idefics.web.WireJson;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;

/**
 * Chunks as server-sent events (WHATWG HTML, section 9.2), framed as OpenAI's clients expect them.
 *
 * <p>A failure before anything was sent stays a failure, which becomes a status. Later it becomes an event named
 * {@code error} with the error object as data, after which the stream ends without {@code [DONE]}: of the forms in
 * use, the only one that no known client takes for an empty chunk.
 */
final class EventStream {

    private static final Logger log = LoggerFactory.getLogger(EventStream.class);
    private static final String COMMENT = ": keep-alive\n\n";
    private static final String DONE = "data: [DONE]\n\n";

    private final WireJson json;
    private final KeepAlive keepAlive;

    EventStream(WireJson json, KeepAlive keepAlive) {
        this.json = json;
        this.keepAlive = keepAlive;
    }

    /** The bytes of each event or comment, to be flushed one by one. */
    Flux<byte[]> frames(Flux<Object> chunks) {
        return Flux.defer(() -> {
            AtomicBoolean sent = new AtomicBoolean();
            Flux<String> events =
                    chunks.map(chunk -> "data: " + text(chunk) + "\n\n").concatWithValues(DONE);
            return keepAlive
                    .fill(events, COMMENT)
                    .doOnNext(frame -> sent.set(true))
                    .onErrorResume(failure -> sent.get() ? Flux.just(errorEvent(failure)) : Flux.error(failure))
                    .map(frame -> frame.getBytes(StandardCharsets.UTF_8));
        });
    }

    private String errorEvent(Throwable failure) {
        ApiError error = ErrorTable.of(failure);
        if (error.status().value() == 500) {
            log.error("A stream failed", failure);
        }
        return "event: error\ndata: " + text(error.envelope()) + "\n\n";
    }

    private String text(Object value) {
        return new String(json.write(value), StandardCharsets.UTF_8);
    }
}
