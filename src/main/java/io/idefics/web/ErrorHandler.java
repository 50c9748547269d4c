package io.idefics.web;

import java.net.SocketException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.http.server.reactive.ServerHttpResponseDecorator;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebExceptionHandler;
import org.springframework.web.util.DisconnectedClientHelper;
import reactor.core.publisher.Mono;
import reactor.netty.http.server.HttpServerResponse;

/**
 * Answers every failure that reaches it with the error object of the endpoint's dialect, whatever the client accepts;
 * faults of the service are logged here, once.
 */
@Order(Ordered.HIGHEST_PRECEDENCE)
public final class ErrorHandler implements WebExceptionHandler {

    private static final Logger log = LoggerFactory.getLogger(ErrorHandler.class);

    /** Seen by nobody but the log, where it is nginx's word for a client that left. */
    private static final HttpStatusCode CLIENT_CLOSED_REQUEST = HttpStatusCode.valueOf(499);

    private final WireJson json;

    public ErrorHandler(WireJson json) {
        this.json = json;
    }

    @Override
    public Mono<Void> handle(ServerWebExchange exchange, Throwable failure) {
        ServerHttpResponse response = exchange.getResponse();
        ApiError error = ErrorTable.of(failure);
        boolean fault = error.status().value() == 500;
        if (fault && isClientGone(failure)) {
            response.setStatusCode(CLIENT_CLOSED_REQUEST);
            return Mono.empty();
        }
        if (!response.isCommitted() && isAnswered(response)) {
            // Closing the connection, which has begun, cancels this; anything else would be logged as a fault.
            return Mono.never();
        }
        if (fault) {
            logFault(response, failure);
        }
        if (response.isCommitted()) {
            return Mono.error(failure);
        }
        ErrorDialect.Written written = ErrorDialect.of(exchange).write(error);
        byte[] body = json.write(written.body());
        response.setStatusCode(written.status());
        HttpHeaders headers = response.getHeaders();
        headers.clearContentHeaders();
        headers.putAll(written.headers());
        headers.setContentType(MediaType.APPLICATION_JSON);
        headers.setContentLength(body.length);
        headers.setCacheControl("no-store");
        return response.writeWith(
                Mono.fromSupplier(() -> response.bufferFactory().wrap(body)));
    }

    /** Whether the connection of the client broke; a reset while it was sending has a name of its own. */
    private static boolean isClientGone(Throwable failure) {
        return failure instanceof SocketException || DisconnectedClientHelper.isClientDisconnectedException(failure);
    }

    /** Whether Netty has refused the request itself, as it does in the middle of a malformed body. */
    private static boolean isAnswered(ServerHttpResponse response) {
        Object target = ServerHttpResponseDecorator.getNativeResponse(response);
        return target instanceof HttpServerResponse netty && netty.hasSentHeaders();
    }

    /** Logs a fault under the id by which the client knows the request. */
    private static void logFault(ServerHttpResponse response, Throwable failure) {
        String id = response.getHeaders().getFirst("x-request-id");
        try (MDC.MDCCloseable ignored = MDC.putCloseable("requestId", id == null ? "" : id)) {
            log.error("A request failed", failure);
        }
    }
}
