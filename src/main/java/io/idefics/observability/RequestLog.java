package io.idefics.observability;

import java.io.IOException;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.server.reactive.HttpHandler;
import org.springframework.http.server.reactive.HttpHandlerDecoratorFactory;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpResponse;
import reactor.core.publisher.Mono;
import reactor.core.publisher.SignalType;

/**
 * Gives every request an id, sent back as {@code x-request-id}, and writes one line when it has ended: method, path,
 * status and time, never the query or the body. It stands outside the error handlers and so sees what they answer.
 *
 * <p>The id is in the Reactor context under {@link #REQUEST_ID}, and in the logging context of that one line; it is
 * not copied to each thread that works on the request.
 */
public final class RequestLog implements HttpHandlerDecoratorFactory {

    /** Name of the id in the Reactor context and in the logging context. */
    public static final String REQUEST_ID = "requestId";

    static final String HEADER = "x-request-id";

    private static final Logger log = LoggerFactory.getLogger("io.idefics.access");

    /** Where Reactor looks for what takes failures that come when nobody waits for them any more. */
    private static final String DROPPED = "reactor.onErrorDropped.local";

    /** A connection that breaks while its request is given up is no fault. */
    private static final Consumer<Throwable> DROPPED_FAILURES = failure -> {
        if (!(failure instanceof IOException)) {
            log.error("A failure came too late to be answered", failure);
        }
    };

    private static final Pattern SAFE_ID = Pattern.compile("[A-Za-z0-9._:/+=@-]{1,128}");
    private static final Pattern UNPRINTABLE = Pattern.compile("[^!-~]");
    private static final int SHOWN_PATH_CHARS = 200;
    private static final int SHOWN_METHOD_CHARS = 16;

    @Override
    public HttpHandler apply(HttpHandler handler) {
        return (request, response) -> Mono.defer(() -> {
            long start = System.nanoTime();
            String id = id(request.getHeaders().getFirst(HEADER));
            response.getHeaders().set(HEADER, id);
            return handler.handle(request, response)
                    .doFinally(signal -> write(request, response, id, signal, System.nanoTime() - start))
                    .contextWrite(context -> context.put(REQUEST_ID, id).put(DROPPED, DROPPED_FAILURES));
        });
    }

    /** The id of the client where it is harmless in headers and logs, else a new one. */
    static String id(@Nullable String given) {
        return given != null && SAFE_ID.matcher(given).matches()
                ? given
                : "req_" + UUID.randomUUID().toString().replace("-", "");
    }

    /** What a client has written, cut, and in visible characters of ASCII alone. */
    private static String shown(String given, int maxChars) {
        String cut = given.length() <= maxChars ? given : given.substring(0, maxChars) + "...";
        return UNPRINTABLE.matcher(cut).replaceAll("?");
    }

    private static void write(
            ServerHttpRequest request, ServerHttpResponse response, String id, SignalType signal, long nanos) {
        HttpStatusCode status = response.isCommitted() ? response.getStatusCode() : null;
        try (MDC.MDCCloseable ignored = MDC.putCloseable(REQUEST_ID, id)) {
            log.info(
                    "{} {} {} {} ms{}",
                    shown(request.getMethod().name(), SHOWN_METHOD_CHARS),
                    shown(request.getURI().getRawPath(), SHOWN_PATH_CHARS),
                    status == null ? "-" : status.value(),
                    TimeUnit.NANOSECONDS.toMillis(nanos),
                    signal == SignalType.CANCEL ? " (client left)" : "");
        }
    }
}
