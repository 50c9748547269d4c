package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.idefics.admission.LimitsProperties.OnFailure;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.testing.Relay;
import io.idefics.testing.TestRedis;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class RedisCountersTest {

    /** Far longer than Redis ever takes, however busy the machine is. */
    private static final Duration LONG = Duration.ofSeconds(30);

    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private static TestRedis redis;

    private final List<RedisCounters> open = new ArrayList<>();
    private final ListAppender<ILoggingEvent> logged = new ListAppender<>();
    private final Logger logger = (Logger) LoggerFactory.getLogger(RedisCounters.class);
    private final String caller = "key:" + UUID.randomUUID();

    @BeforeAll
    static void start() {
        redis = new TestRedis();
    }

    @AfterAll
    static void stop() {
        redis.close();
    }

    @BeforeEach
    void listen() {
        logged.start();
        logger.addAppender(logged);
    }

    @AfterEach
    void close() {
        logger.detachAppender(logged);
        open.forEach(RedisCounters::close);
    }

    @Test
    void takeRequest_twoInstancesAtTheSameTime_shareTheLimitExactly() throws InterruptedException {
        FakeNanoTime[] times = {new FakeNanoTime(-5_000_000_000L), new FakeNanoTime(7_000_000_000L)};
        RedisCounters[] instances = {counters(redis.url(), times[0]), counters(redis.url(), times[1])};
        Quota quota = new Quota(1000, 0, 0, 0);

        for (int minute = 0; minute < 2; minute++) {
            assertThat(hammer(instances, quota, 1500)).isEqualTo(1000);
            for (FakeNanoTime time : times) {
                time.advance(Duration.ofMinutes(1));
            }
        }
        assertThat(logged.list).isEmpty();
    }

    /** How many were let in of so many requests by several clients of each instance. */
    private int hammer(RedisCounters[] instances, Quota quota, int requests) throws InterruptedException {
        AtomicInteger taken = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (int client = 0; client < 6; client++) {
            RedisCounters counters = instances[client % instances.length];
            Thread thread = new Thread(() -> {
                for (int i = 0; i < requests / 6; i += 5) {
                    List<CompletableFuture<Balances>> answers = IntStream.range(0, 5)
                            .mapToObj(n -> counters.takeRequest(caller, quota).toCompletableFuture())
                            .toList();
                    for (CompletableFuture<Balances> answer : answers) {
                        if (Objects.requireNonNull(answer.join().requests()).taken()) {
                            taken.incrementAndGet();
                        }
                    }
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        return taken.get();
    }

    @Test
    void takeRequest_overTheLimit_saysWhatIsLeftAsTheLocalOneDoes() {
        FakeNanoTime time = new FakeNanoTime();
        RedisCounters shared = counters(redis.url(), time);
        LocalCounters local = new LocalCounters(time);
        Quota quota = new Quota(3, 100, 10, 0);

        List<Duration> steps = List.of(
                Duration.ZERO,
                Duration.ofSeconds(10),
                Duration.ofSeconds(20),
                Duration.ofSeconds(5),
                Duration.ofSeconds(25),
                Duration.ofSeconds(61),
                Duration.ofSeconds(200));
        for (Duration step : steps) {
            time.advance(step);
            assertThat(request(shared, quota)).isEqualTo(request(local, quota));
            assertThat(pictures(shared, quota, 4)).isEqualTo(pictures(local, quota, 4));
            shared.takeTokens(caller, quota, 170);
            local.takeTokens(caller, quota, 170);
            assertThat(request(shared, quota)).isEqualTo(request(local, quota));
        }
    }

    @Test
    void takeTokens_byTwoInstances_isOwedToBoth() {
        FakeNanoTime time = new FakeNanoTime();
        RedisCounters first = counters(redis.url(), time);
        RedisCounters second = counters(redis.url(), time);
        Quota quota = new Quota(0, 100, 0, 0);

        for (int i = 0; i < 50; i++) {
            first.takeTokens(caller, quota, 3);
            second.takeTokens(caller, quota, 4);
        }

        await().atMost(PATIENCE).until(() -> tokens(first, quota) == 100 - 350 && tokens(second, quota) == 100 - 350);
    }

    @Test
    void takeRequest_anyCaller_isKeptUnderAHashAndNotForever() {
        RedisCounters counters = counters(redis.url(), new FakeNanoTime());
        request(counters, new Quota(7, 0, 0, 0));

        try (RedisClient client = RedisClient.create(redis.url())) {
            RedisCommands<String, String> commands = client.connect().sync();
            List<String> keys = commands.keys("idefics:limits:requests:7:*");
            assertThat(keys).hasSize(1);
            assertThat(commands.keys("*" + caller + "*")).isEmpty();
            assertThat(commands.pttl(keys.get(0))).isBetween(1L, 70_000L);
        }
    }

    @Test
    void takeRequest_redisGoneAndBack_countsForItselfMeanwhile() {
        try (TestRedis own = new TestRedis()) {
            RedisCounters counters = counters(own.url(), new FakeNanoTime());
            Quota quota = new Quota(2, 0, 0, 0);
            assertThat(taken(counters, quota)).isTrue();
            own.stop();

            assertThat(taken(counters, quota)).isTrue();
            assertThat(taken(counters, quota)).isTrue();
            assertThat(taken(counters, quota)).isFalse();
            assertThat(counters.isUp()).isFalse();
            assertThat(counters.failures()).isPositive();

            own.start();
            await().atMost(PATIENCE).until(() -> {
                request(counters, new Quota(1000, 0, 0, 0));
                return counters.isUp();
            });
            assertThat(taken(counters, quota)).isTrue(); // Redis has forgotten
            assertThat(taken(counters, quota)).isTrue();
            assertThat(taken(counters, quota)).isFalse();
            assertThat(logged.list)
                    .extracting(ILoggingEvent::getFormattedMessage)
                    .containsExactly(
                            "Redis does not answer; until it does, this instance counts for itself",
                            "Redis answers again");
        }
    }

    @Test
    void takeRequest_redisGoneAndClosed_isRefused() {
        try (TestRedis own = new TestRedis()) {
            RedisCounters counters = counters(own.url(), LONG, OnFailure.CLOSED, new FakeNanoTime());
            assertThat(taken(counters, new Quota(1, 0, 0, 0))).isTrue();
            own.stop();

            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> request(counters, new Quota(1, 0, 0, 0)))
                        .cause()
                        .isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.type())
                                .isEqualTo(ErrorType.OVERLOADED))
                        .hasMessage("The service cannot check its limits now; try again later.");
            }
            assertThat(logged.list)
                    .extracting(ILoggingEvent::getFormattedMessage)
                    .containsExactly("Redis does not answer; until it does, requests are refused");
        }
    }

    @Test
    void takeRequest_redisHangs_isAnsweredAndComesBack() {
        try (Relay relay = new Relay(redis.port())) {
            RedisCounters counters = counters(
                    "redis://127.0.0.1:" + relay.port(), Duration.ofSeconds(2), OnFailure.OPEN, System::nanoTime);
            Quota quota = new Quota(1000, 1000, 1000, 0);
            request(counters, quota);
            assertThat(counters.isUp()).isTrue();
            relay.freeze();

            for (int i = 0; i < 20; i++) {
                assertThat(counters.takeRequest(caller, quota)).succeedsWithin(PATIENCE);
            }
            assertThat(counters.isUp()).isFalse();

            relay.thaw();
            await().atMost(PATIENCE).until(() -> {
                request(counters, quota);
                return counters.isUp();
            });
        }
    }

    @Test
    void of_serverThatNeverAnswers_startsAndCountsForItself() throws IOException {
        try (ServerSocket silent = new ServerSocket(0, 0, InetAddress.getLoopbackAddress())) {
            RedisCounters counters = counters("redis://127.0.0.1:" + silent.getLocalPort(), new FakeNanoTime());

            assertThat(taken(counters, new Quota(1, 0, 0, 0))).isTrue();
            assertThat(taken(counters, new Quota(1, 0, 0, 0))).isFalse();
            assertThat(counters.isUp()).isFalse();
        }
    }

    @Test
    void of_password_isSent() {
        try (TestRedis own = new TestRedis("requirepass s3cret")) {
            assertThat(counters("redis://:s3cret@127.0.0.1:" + own.port(), new FakeNanoTime())
                            .isUp())
                    .isTrue();
            assertThat(counters("redis://:wrong@127.0.0.1:" + own.port(), new FakeNanoTime())
                            .isUp())
                    .isFalse();
        }
    }

    @Test
    void of_malformedUrl_isRefusedWithoutThePassword() {
        assertThatThrownBy(() -> counters("http://:s3cret@host:1", new FakeNanoTime()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("idefics.limits.redis.url must be like redis://host:6379")
                .hasNoCause();
    }

    private RedisCounters counters(String url, FakeNanoTime time) {
        return counters(url, LONG, OnFailure.OPEN, time);
    }

    private RedisCounters counters(
            String url, Duration timeout, OnFailure onFailure, java.util.function.LongSupplier time) {
        RedisCounters counters = RedisCounters.of(url, timeout, onFailure, new LocalCounters(time), time);
        open.add(counters);
        return counters;
    }

    private Balances request(Counters counters, Quota quota) {
        return counters.takeRequest(caller, quota).toCompletableFuture().join();
    }

    private boolean taken(Counters counters, Quota quota) {
        return Objects.requireNonNull(request(counters, quota).requests()).taken();
    }

    private long tokens(Counters counters, Quota quota) {
        return Objects.requireNonNull(request(counters, quota).tokens()).remaining();
    }

    private Balance pictures(Counters counters, Quota quota, int pictures) {
        return Objects.requireNonNull(counters.takePictures(caller, quota, pictures)
                .toCompletableFuture()
                .join());
    }
}
