package io.idefics.admission;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.bucket4j.BucketConfiguration;
import io.github.bucket4j.distributed.AsyncBucketProxy;
import io.github.bucket4j.distributed.ExpirationAfterWriteStrategy;
import io.github.bucket4j.distributed.proxy.AsyncProxyManager;
import io.github.bucket4j.distributed.proxy.optimization.Optimizations;
import io.github.bucket4j.redis.lettuce.Bucket4jLettuce;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** The limits of all callers in Redis, over one connection. */
final class RedisBuckets implements AutoCloseable {

    /** How long a limit is kept after all of it is there again. */
    private static final Duration KEPT = Duration.ofSeconds(10);

    /** As often as clocks of good machines drift apart by a millisecond or two. */
    private static final long CLOCK_INTERVAL = TimeUnit.MINUTES.toNanos(10);

    private static final int HASH_BYTES = 16;

    private final StatefulRedisConnection<String, byte[]> connection;
    private final LongSupplier nanoTime;
    private final RedisClock clock;
    private final AsyncProxyManager<String> buckets;
    private volatile long clockSet;

    /** Requests of one caller that come at the same time share their round trips, so each bucket exists once. */
    private final Cache<String, AsyncBucketProxy> known = Caffeine.newBuilder()
            .maximumSize(LocalCounters.MOST_CALLERS)
            .expireAfterAccess(Window.PERIOD)
            .build();

    private RedisBuckets(StatefulRedisConnection<String, byte[]> connection, LongSupplier nanoTime) {
        this.connection = connection;
        this.nanoTime = nanoTime;
        this.clock = new RedisClock(nanoTime);
        this.buckets = Bucket4jLettuce.casBasedBuilder(connection)
                .clientClock(clock)
                .expirationAfterWrite(ExpirationAfterWriteStrategy.basedOnTimeForRefillingBucketUpToMax(KEPT))
                .build()
                .asAsync();
    }

    /** Connects and sets the clock. */
    static CompletableFuture<RedisBuckets> connect(RedisClient client, RedisURI uri, LongSupplier nanoTime) {
        return client.connectAsync(RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE), uri)
                .thenCompose(connection -> {
                    RedisBuckets connected = new RedisBuckets(connection, nanoTime);
                    return connected.setClock().thenApply(done -> connected);
                })
                .toCompletableFuture();
    }

    private CompletionStage<Void> setClock() {
        long asked = nanoTime.getAsLong();
        clockSet = asked;
        return connection.async().time().thenAccept(time -> clock.set(micros(time), asked));
    }

    /** Seconds since the epoch, and microseconds. */
    private static long micros(List<byte[]> time) {
        return TimeUnit.SECONDS.toMicros(number(time.get(0))) + number(time.get(1));
    }

    private static long number(byte[] digits) {
        return Long.parseLong(new String(digits, StandardCharsets.US_ASCII));
    }

    /** The bucket of one limit of a caller. */
    AsyncBucketProxy bucket(Limit limit, String caller, int perMinute) {
        if (nanoTime.getAsLong() - clockSet > CLOCK_INTERVAL) {
            setClock();
        }
        return known.get(key(limit, caller, perMinute), key -> newBucket(key, perMinute));
    }

    private AsyncBucketProxy newBucket(String key, int perMinute) {
        CompletableFuture<BucketConfiguration> configuration =
                CompletableFuture.completedFuture(BucketConfiguration.builder()
                        .addLimit(limit -> limit.capacity(perMinute).refillIntervally(perMinute, Window.PERIOD))
                        .build());
        return buckets.builder().withOptimization(Optimizations.batching()).build(key, () -> configuration);
    }

    /** Names of callers are not told to whoever may look into Redis. */
    private static String key(Limit limit, String caller, int perMinute) {
        return "idefics:limits:" + limit.label() + ":" + perMinute + ":" + hash(caller);
    }

    private static String hash(String caller) {
        byte[] hash = ApiKey.digest(caller); // names are ASCII too
        return Base64.getUrlEncoder().withoutPadding().encodeToString(Arrays.copyOf(hash, HASH_BYTES));
    }

    @Override
    public void close() {
        connection.closeAsync();
    }
}
