package io.idefics.admission;

import io.github.bucket4j.ConsumptionProbe;
import io.github.bucket4j.VerboseResult;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreaker.StateTransition;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import io.idefics.admission.LimitsProperties.OnFailure;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.DefaultClientResources;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts for all replicas in Redis; nobody waits for it longer than a timeout.
 *
 * <p>After one failure Redis is left alone for a second at a time, and what happens meanwhile is a matter of configuration.
 * Then one request tries again, over a new connection: the old one may be dead without anyone having noticed.
 */
final class RedisCounters implements Counters, AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(RedisCounters.class);

    private static final Duration PAUSE = Duration.ofSeconds(1);
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(1);
    private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(5);
    private static final int THREADS = 2;

    private final ClientResources resources;
    private final RedisClient client;
    private final RedisURI uri;
    private final Duration timeout;
    private final OnFailure onFailure;
    private final Counters local;
    private final LongSupplier nanoTime;
    private final CircuitBreaker breaker;
    private final LongAdder failures = new LongAdder();
    private final AtomicReference<@Nullable CompletableFuture<RedisBuckets>> connected = new AtomicReference<>();

    private RedisCounters(RedisURI uri, Duration timeout, OnFailure onFailure, Counters local, LongSupplier nanoTime) {
        this.resources = DefaultClientResources.builder()
                .ioThreadPoolSize(THREADS)
                .computationThreadPoolSize(THREADS)
                .build();
        this.uri = uri;
        this.client = RedisClient.create(resources);
        client.setOptions(ClientOptions.builder()
                .autoReconnect(false)
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(CONNECT_TIMEOUT)
                        .keepAlive(true)
                        .build())
                .build());
        this.timeout = timeout;
        this.onFailure = onFailure;
        this.local = local;
        this.nanoTime = nanoTime;
        this.breaker = CircuitBreaker.of(
                "limits",
                CircuitBreakerConfig.custom()
                        .slidingWindow(1, 1, SlidingWindowType.COUNT_BASED)
                        .waitDurationInOpenState(PAUSE)
                        .permittedNumberOfCallsInHalfOpenState(1)
                        .build());
        breaker.getEventPublisher().onStateTransition(event -> logState(event.getStateTransition()));
    }

    /**
     * Connects, but does not wait long for Redis: a service that starts without it is like one that loses it.
     *
     * @param local what counts meanwhile, if Redis does not answer
     * @throws IllegalArgumentException if the URL is malformed
     */
    static RedisCounters of(String url, Duration timeout, OnFailure onFailure, Counters local, LongSupplier nanoTime) {
        RedisCounters counters = new RedisCounters(parse(url), timeout, onFailure, local, nanoTime);
        counters.awaitConnection();
        return counters;
    }

    private static RedisURI parse(String url) {
        try {
            RedisURI uri = RedisURI.create(url);
            uri.setTimeout(HANDSHAKE_TIMEOUT);
            return uri;
        } catch (IllegalArgumentException e) {
            // The URL may hold a password.
            throw new IllegalArgumentException(
                    "idefics.limits.redis.url must be like redis://host:6379, rediss://user:password@host:6379 or"
                            + " redis-sentinel://host:26379#name",
                    null);
        }
    }

    private void awaitConnection() {
        CompletableFuture<RedisBuckets> connection = connection();
        try {
            connection.get(HANDSHAKE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            failed(connection, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public CompletionStage<Balances> takeRequest(String caller, Quota quota) {
        return shared(
                buckets -> {
                    CompletableFuture<@Nullable Balance> requests =
                            take(buckets, Limit.REQUESTS, caller, quota.requests(), 1);
                    CompletableFuture<@Nullable Balance> tokens = look(buckets, Limit.TOKENS, caller, quota.tokens());
                    CompletableFuture<@Nullable Balance> pictures =
                            look(buckets, Limit.PICTURES, caller, quota.pictures());
                    return CompletableFuture.allOf(requests, tokens, pictures)
                            .thenApply(done -> new Balances(requests.join(), tokens.join(), pictures.join()));
                },
                () -> local.takeRequest(caller, quota));
    }

    @Override
    public CompletionStage<@Nullable Balance> takePictures(String caller, Quota quota, int pictures) {
        return shared(
                buckets -> take(buckets, Limit.PICTURES, caller, quota.pictures(), pictures),
                () -> local.takePictures(caller, quota, pictures));
    }

    @Override
    public void takeTokens(String caller, Quota quota, long tokens) {
        CompletionStage<?> unused = shared(
                buckets -> buckets.bucket(Limit.TOKENS, caller, quota.tokens()).consumeIgnoringRateLimits(tokens),
                () -> {
                    local.takeTokens(caller, quota, tokens);
                    return CompletableFuture.completedFuture(0L);
                });
    }

    private static CompletableFuture<@Nullable Balance> take(
            RedisBuckets buckets, Limit limit, String caller, int perMinute, int amount) {
        if (perMinute == 0) {
            return CompletableFuture.completedFuture(null);
        }
        return buckets.bucket(limit, caller, perMinute)
                .tryConsumeAndReturnRemaining(amount)
                .thenApply(probe -> balance(perMinute, probe));
    }

    private static Balance balance(int perMinute, ConsumptionProbe probe) {
        return new Balance(
                perMinute,
                probe.isConsumed(),
                probe.getRemainingTokens(),
                Duration.ofNanos(probe.getNanosToWaitForRefill()),
                Duration.ofNanos(probe.getNanosToWaitForReset()));
    }

    private static CompletableFuture<@Nullable Balance> look(
            RedisBuckets buckets, Limit limit, String caller, int perMinute) {
        if (perMinute == 0) {
            return CompletableFuture.completedFuture(null);
        }
        return buckets.bucket(limit, caller, perMinute)
                .asVerbose()
                .getAvailableTokens()
                .thenApply(seen -> balance(perMinute, seen));
    }

    private static Balance balance(int perMinute, VerboseResult<Long> seen) {
        long wait =
                seen.getState().calculateDelayNanosAfterWillBePossibleToConsume(1, seen.getOperationTimeNanos(), false);
        return new Balance(
                perMinute,
                seen.getValue() > 0,
                seen.getValue(),
                Duration.ofNanos(wait),
                Duration.ofNanos(seen.getDiagnostics().calculateFullRefillingTime()));
    }

    /** Asks Redis, or does otherwise where it does not answer. */
    private <T extends @Nullable Object> CompletionStage<T> shared(
            Function<RedisBuckets, CompletableFuture<T>> question, Supplier<CompletionStage<T>> otherwise) {
        if (!breaker.tryAcquirePermission()) {
            return otherwise(otherwise);
        }
        CompletableFuture<RedisBuckets> connection = connection();
        return connection
                .thenCompose(question)
                .orTimeout(timeout.toNanos(), TimeUnit.NANOSECONDS)
                .handle((answer, failure) -> {
                    if (failure == null) {
                        breaker.onSuccess(0, TimeUnit.NANOSECONDS);
                        return CompletableFuture.completedStage(answer);
                    }
                    failed(connection, failure);
                    return otherwise(otherwise);
                })
                .thenCompose(Function.identity());
    }

    private <T extends @Nullable Object> CompletionStage<T> otherwise(Supplier<CompletionStage<T>> counted) {
        return onFailure == OnFailure.OPEN
                ? counted.get()
                : CompletableFuture.failedFuture(new GenerationException(
                        ErrorType.OVERLOADED, "The service cannot check its limits now; try again later.", null));
    }

    private CompletableFuture<RedisBuckets> connection() {
        CompletableFuture<RedisBuckets> next = new CompletableFuture<>();
        CompletableFuture<RedisBuckets> known = connected.updateAndGet(now -> now == null ? next : now);
        if (known == next) {
            RedisBuckets.connect(client, uri, nanoTime).whenComplete((buckets, failure) -> {
                if (failure == null) {
                    next.complete(buckets);
                } else {
                    next.completeExceptionally(failure);
                }
            });
        }
        return known;
    }

    /** Gives a connection up, unless it is still being made. */
    private void failed(CompletableFuture<RedisBuckets> connection, Throwable failure) {
        failures.increment();
        breaker.onError(0, TimeUnit.NANOSECONDS, failure);
        if (connection.isDone() && connected.compareAndSet(connection, null)) {
            connection.thenAccept(RedisBuckets::close);
        }
    }

    /** One line when Redis is lost and one when it is back, however many requests there are. */
    private void logState(StateTransition transition) {
        if (transition == StateTransition.CLOSED_TO_OPEN) {
            log.warn(
                    "Redis does not answer; until it does, {}",
                    onFailure == OnFailure.OPEN ? "this instance counts for itself" : "requests are refused");
        } else if (transition == StateTransition.HALF_OPEN_TO_CLOSED) {
            log.info("Redis answers again");
        }
    }

    boolean isUp() {
        return breaker.getState() == CircuitBreaker.State.CLOSED;
    }

    long failures() {
        return failures.sum();
    }

    @Override
    public void close() {
        client.shutdown(Duration.ZERO, CONNECT_TIMEOUT);
        resources.shutdown();
    }
}
