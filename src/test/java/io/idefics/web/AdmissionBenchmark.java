package io.idefics.web;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.idefics.admission.AccessPolicy;
import io.idefics.admission.AccessProperties;
import io.idefics.admission.AccessRefusals;
import io.idefics.admission.ApiKey;
import io.idefics.admission.ApiKeys;
import io.idefics.admission.Arrivals;
import io.idefics.admission.ClientLimits;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Limits;
import io.idefics.admission.LimitsProperties;
import io.idefics.admission.PriorityShares;
import io.idefics.generation.Work;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.springframework.http.codec.HttpMessageReader;
import org.springframework.http.codec.ServerCodecConfigurer;
import org.springframework.mock.http.server.reactive.MockServerHttpRequest;
import org.springframework.mock.http.server.reactive.MockServerHttpResponse;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.adapter.DefaultServerWebExchange;
import org.springframework.web.server.i18n.AcceptHeaderLocaleContextResolver;
import org.springframework.web.server.i18n.LocaleContextResolver;
import org.springframework.web.server.session.DefaultWebSessionManager;
import org.springframework.web.server.session.WebSessionManager;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * Times what it takes to admit one request on one instance: which key it has, all its limits, the headers that tell what is
 * left, its permit with room for its work, the charge at its end and the release. Not a test: run its main method with the
 * class path of the tests. The baseline is the exchange of the test framework and a handler that does nothing.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5, time = 3)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class AdmissionBenchmark {

    private static final int KEYS = 100;
    private static final int MOST = 1_000_000_000;

    private final List<MockServerHttpRequest> requests = IntStream.range(0, KEYS)
            .mapToObj(i -> MockServerHttpRequest.post("/v1/chat/completions")
                    .header("Authorization", "Bearer " + key(i))
                    .build())
            .toList();
    private final WebSessionManager sessions = new DefaultWebSessionManager();
    private final ServerCodecConfigurer codecs = ServerCodecConfigurer.create();
    private final LocaleContextResolver locales = new AcceptHeaderLocaleContextResolver();
    private final List<HttpMessageReader<?>> readers = codecs.getReaders();
    private final AccessFilter access = access();
    private final LimitsFilter limits = new LimitsFilter(
            Limits.of(new LimitsProperties(
                    MOST,
                    MOST,
                    MOST,
                    1000,
                    new LimitsProperties.Redis(null, Duration.ofMillis(100), LimitsProperties.OnFailure.OPEN))),
            Schedulers.parallel());
    private final AdmissionFilter admission = new AdmissionFilter(new ConcurrencyLimiter(
            Bulkhead.of(
                    "benchmark",
                    BulkheadConfig.custom()
                            .maxConcurrentCalls(1000)
                            .maxWaitDuration(Duration.ZERO)
                            .build()),
            MOST,
            MOST,
            new PriorityShares(0.8, 0.95),
            new Arrivals(1000, 1),
            1000));

    public static void main(String[] args) throws RunnerException {
        for (int threads : new int[] {1, 4}) {
            new Runner(new OptionsBuilder()
                            .include(AdmissionBenchmark.class.getName())
                            .threads(threads)
                            .build())
                    .run();
        }
    }

    /** What is there without admission. */
    @Benchmark
    public Object baseline() {
        ServerWebExchange exchange = exchange();
        return handle(ServerRequest.create(exchange, readers)).block();
    }

    /** The same with admission. */
    @Benchmark
    public Object admitted() {
        ServerWebExchange exchange = exchange();
        return access.filter(
                        exchange,
                        known -> limits.filter(known, counted -> admission
                                .filter(ServerRequest.create(counted, readers), this::admittedWork)
                                .doOnNext(response -> AdmissionFilter.permit(ServerRequest.create(counted, readers))
                                        .close())
                                .then()))
                .block();
    }

    private Mono<ServerResponse> admittedWork(ServerRequest request) {
        var permit = AdmissionFilter.permit(request);
        return Mono.fromCompletionStage(permit.reserve(new Work(100, 100, 1)))
                .then(handle(request))
                .doFinally(signal -> permit.charge(150));
    }

    private Mono<ServerResponse> handle(ServerRequest request) {
        return ServerResponse.ok().build();
    }

    private ServerWebExchange exchange() {
        MockServerHttpRequest request =
                requests.get((int) (Thread.currentThread().getId() % KEYS));
        return new DefaultServerWebExchange(request, new MockServerHttpResponse(), sessions, codecs, locales);
    }

    private static AccessFilter access() {
        List<AccessProperties.KeyProperties> keys = IntStream.range(0, KEYS)
                .mapToObj(i -> new AccessProperties.KeyProperties(
                        "key-" + i,
                        ApiKey.hashOf(key(i)),
                        List.of("inference"),
                        "normal",
                        ClientLimits.NONE_OF_ITS_OWN))
                .toList();
        AccessProperties properties = new AccessProperties(true, keys, null, Duration.ofSeconds(2), true, false);
        return new AccessFilter(
                new AccessRules("/actuator", true, false),
                AccessPolicy.of(properties, "loopback", true),
                new ApiKeys(properties.inlineKeys()),
                new AccessRefusals());
    }

    private static String key(int i) {
        return "sk-" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG".substring(0, 40) + i;
    }
}
