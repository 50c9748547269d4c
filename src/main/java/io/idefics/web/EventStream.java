package io.idefics.web;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;

/**
 * Server-sent events (WHATWG HTML, section 9.2) as clients of model servers expect them.
 *
 * <p>A failure before anything was sent stays a failure, which becomes a status. Later it becomes an event of the dialect,
 * after which the stream ends without its last event.
 */
public final class EventStream {

    /** The last event of OpenAI's streams. */
    public static final String DONE = "data: [DONE]\n\n";

    private static final Logger log = LoggerFactory.getLogger(EventStream.class);
    private static final String COMMENT = ": keep-alive\n\n";

    private final WireJson json;
    private final KeepAlive keepAlive;

    public EventStream(WireJson json, KeepAlive keepAlive) {
        this.json = json;
        this.keepAlive = keepAlive;
    }

    /**
     * OpenAI's form: the end is {@link #DONE}, and a failure an event named {@code error} with the error object as data:
     * of the forms in use, the only one that no known client takes for an empty chunk.
     */
    public Flux<byte[]> frames(Flux<Frame> events) {
        return frames(events, DONE, error -> new Frame("error", error.envelope()));
    }

    /**
     * The bytes of each event or comment, to be flushed one by one.
     *
     * @param last the bytes of the last event; empty for none
     * @param failure how a failure is told
     */
    public Flux<byte[]> frames(Flux<Frame> events, String last, Function<ApiError, Frame> failure) {
        return Flux.defer(() -> {
            AtomicBoolean sent = new AtomicBoolean();
            Flux<String> texts = events.map(this::text);
            Flux<String> all = last.isEmpty() ? texts : texts.concatWithValues(last);
            return keepAlive
                    .fill(all, COMMENT)
                    .doOnNext(frame -> sent.set(true))
                    .onErrorResume(e -> sent.get() ? Flux.just(text(failure.apply(error(e)))) : Flux.error(e))
                    .map(frame -> frame.getBytes(StandardCharsets.UTF_8));
        });
    }

    private static ApiError error(Throwable failure) {
        ApiError error = ErrorTable.of(failure);
        if (error.status().value() == 500) {
            log.error("A stream failed", failure);
        }
        return error;
    }

    private String text(Frame frame) {
        String data = "data: " + new String(json.write(frame.data()), StandardCharsets.UTF_8) + "\n\n";
        return frame.event() == null ? data : "event: " + frame.event() + "\n" + data;
    }
}
