package io.idefics.web;

import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Permit;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.ResponseCookie;
import org.springframework.util.MultiValueMap;
import org.springframework.web.reactive.function.server.HandlerFilterFunction;
import org.springframework.web.reactive.function.server.HandlerFunction;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Mono;

/** Holds a permit for each request, from before its body is read until its answer is written or abandoned. */
public final class AdmissionFilter implements HandlerFilterFunction<ServerResponse, ServerResponse> {

    private static final String PERMIT = Permit.class.getName();

    private final ConcurrencyLimiter limiter;

    public AdmissionFilter(ConcurrencyLimiter limiter) {
        this.limiter = limiter;
    }

    @Override
    public Mono<ServerResponse> filter(ServerRequest request, HandlerFunction<ServerResponse> next) {
        return Mono.defer(() -> {
            ServerWebExchange exchange = request.exchange();
            Permit permit = limiter.acquire(AccessFilter.caller(exchange).priority(), LimitsFilter.allowance(exchange));
            request.attributes().put(PERMIT, permit);
            // The answer is written after this Mono has ended, so each side releases; the second time is no-op.
            return Mono.defer(() -> next.handle(request))
                    .<ServerResponse>map(response -> new PermittedResponse(response, permit))
                    .switchIfEmpty(Mono.fromRunnable(permit::close))
                    .doOnError(failure -> permit.close())
                    .doOnCancel(permit::close);
        });
    }

    /** The permit of a request that has passed the filter. */
    static Permit permit(ServerRequest request) {
        return (Permit) request.attribute(PERMIT)
                .orElseThrow(() -> new IllegalStateException("The request has not passed the admission filter"));
    }

    private record PermittedResponse(ServerResponse response, Permit permit) implements ServerResponse {

        @Override
        public Mono<Void> writeTo(ServerWebExchange exchange, Context context) {
            return Mono.defer(() -> response.writeTo(exchange, context)).doFinally(signal -> permit.close());
        }

        @Override
        public HttpStatusCode statusCode() {
            return response.statusCode();
        }

        @Override
        @Deprecated
        @SuppressWarnings("removal")
        public int rawStatusCode() {
            return response.statusCode().value();
        }

        @Override
        public HttpHeaders headers() {
            return response.headers();
        }

        @Override
        public MultiValueMap<String, ResponseCookie> cookies() {
            return response.cookies();
        }
    }
}
