package io.idefics.admission;

import io.idefics.generation.GenerationException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Bounds how much each caller may ask for. */
public final class Limits implements AutoCloseable {

    private final LimitsProperties properties;
    private final Counters counters;
    private final @Nullable RedisCounters redis;
    private final Places places = new Places();
    private final Map<Limit, LongAdder> refusals = new EnumMap<>(Limit.class);

    private Limits(LimitsProperties properties, Counters counters, @Nullable RedisCounters redis) {
        this.properties = properties;
        this.counters = counters;
        this.redis = redis;
        for (Limit limit : Limit.values()) {
            refusals.put(limit, new LongAdder());
        }
    }

    /** Limits that are counted here, or in Redis where a URL is given. */
    public static Limits of(LimitsProperties properties) {
        LocalCounters local = new LocalCounters(System::nanoTime);
        LimitsProperties.Redis redis = properties.redis();
        if (redis.url() == null) {
            return new Limits(properties, local, null);
        }
        RedisCounters shared =
                RedisCounters.of(redis.url(), redis.timeout(), redis.onFailure(), local, System::nanoTime);
        return new Limits(properties, shared, shared);
    }

    /** No limits. */
    static Limits unlimited() {
        LimitsProperties.Redis none = new LimitsProperties.Redis(null, Duration.ZERO, LimitsProperties.OnFailure.OPEN);
        return of(new LimitsProperties(0, 0, 0, 0, none), new LocalCounters(System::nanoTime));
    }

    /** Limits that are counted like that. */
    static Limits of(LimitsProperties properties, Counters counters) {
        return new Limits(properties, counters, null);
    }

    /** Counts a request and tells what its caller may do; refused requests are not counted, but those refused later are. */
    public CompletionStage<Allowance> request(Caller caller) {
        Quota quota = properties.quota(caller.limits());
        return counters.takeRequest(caller.name(), quota)
                .thenApply(balances -> new Allowance(this, caller.name(), quota, balances));
    }

    /** How often a limit has refused a request. */
    public long refused(Limit limit) {
        return adder(limit).sum();
    }

    /** Whether replicas count together. */
    public boolean isShared() {
        return redis != null;
    }

    /** Whether Redis answers; false where there is none. */
    public boolean isRedisUp() {
        return redis != null && redis.isUp();
    }

    /** How often Redis did not answer, or not in time. */
    public long redisFailures() {
        return redis == null ? 0 : redis.failures();
    }

    /** Counts a refusal and tells the client of it. */
    GenerationException refused(Limit limit, String message, @Nullable Duration wait) {
        adder(limit).increment();
        return GenerationException.rateLimited(message, wait);
    }

    Counters counters() {
        return counters;
    }

    Places places() {
        return places;
    }

    @Override
    public void close() {
        if (redis != null) {
            redis.close();
        }
    }

    private LongAdder adder(Limit limit) {
        return Objects.requireNonNull(refusals.get(limit));
    }
}
