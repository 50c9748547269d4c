package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.generation.Work;
import java.time.Duration;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LimitsTest {

    private final FakeNanoTime time = new FakeNanoTime();
    private final Limits limits = limits(new ClientLimits(3, 100, 10, 2));

    @Test
    void request_overTheLimit_isRefusedWithTheTimeAndCounted() {
        for (int i = 0; i < 3; i++) {
            assertThat(request().refusal()).isNull();
        }
        time.advance(Duration.ofMillis(47_500));

        GenerationException refusal = Objects.requireNonNull(request().refusal());

        assertThat(refusal)
                .hasMessage("The limit of 3 requests a minute is reached; try again in 13s.")
                .extracting(GenerationException::type, GenerationException::retryAfter)
                .containsExactly(ErrorType.RATE_LIMITED, Duration.ofMillis(12_500));
        assertThat(limits.refused(Limit.REQUESTS)).isEqualTo(1);
    }

    @Test
    void enter_tokensUsedUp_isRefusedUntilTheDebtIsPaid() {
        Allowance first = request();
        first.enter();
        first.charge(99);
        Allowance second = request();
        second.enter();
        second.charge(51);

        assertThatThrownBy(request()::enter)
                .isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.retryAfter())
                        .isEqualTo(Duration.ofMinutes(1)))
                .hasMessage("The limit of 100 tokens a minute is reached; try again in 1m0s.");
        time.advance(Duration.ofMinutes(1));
        assertThat(Objects.requireNonNull(request().balances().tokens()).remaining())
                .isEqualTo(50);
        assertThat(limits.refused(Limit.TOKENS)).isEqualTo(1);
    }

    @Test
    void enter_allPlacesTaken_isRefusedUntilOneIsGivenBack() {
        Runnable first = request().enter();
        request().enter();

        assertThatThrownBy(request()::enter)
                .isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.retryAfter())
                        .isEqualTo(Duration.ofSeconds(1)))
                .hasMessage(
                        "The limit of 2 requests at the same time is reached; try again when one of them has ended.");
        first.run();
        time.advance(Duration.ofMinutes(1));
        request().enter();
        assertThat(limits.refused(Limit.CONCURRENT)).isEqualTo(1);
    }

    @Test
    void request_refusedLater_stillCounts() {
        request().enter();
        request().enter();
        assertThatThrownBy(request()::enter).isInstanceOf(GenerationException.class);

        assertThat(request().refusal()).hasMessageContaining("3 requests a minute");
    }

    @Test
    void reserve_moreThanAreLeft_takesNoneAndTellsWhen() {
        reserve(request(), 7);
        time.advance(Duration.ofSeconds(20));

        assertThatThrownBy(() -> reserve(request(), 4))
                .isInstanceOf(CompletionException.class)
                .cause()
                .isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.retryAfter())
                        .isEqualTo(Duration.ofSeconds(40)))
                .hasMessage("The request has 4 pictures but of the limit of 10 pictures a minute only 3 are left;"
                        + " try again in 40s.");
        reserve(request(), 3);
        assertThat(limits.refused(Limit.PICTURES)).isEqualTo(1);
    }

    @Test
    void reserve_moreThanEverAreLeft_isNotToBeTriedAgain() {
        assertThatThrownBy(() -> reserve(request(), 11))
                .cause()
                .isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.retryAfter())
                        .isNull())
                .hasMessage("The request has 11 pictures but the limit is 10 pictures a minute.");
        reserve(request(), 10);
    }

    @Test
    void request_noLimits_allowsAnything() {
        Limits none = limits(new ClientLimits(0, 0, 0, 0));
        for (int i = 0; i < 100; i++) {
            Allowance allowance = none.request(caller(ClientLimits.NONE_OF_ITS_OWN))
                    .toCompletableFuture()
                    .join();
            assertThat(allowance.refusal()).isNull();
            assertThat(allowance.balances()).isEqualTo(Balances.UNLIMITED);
            allowance.enter();
            reserve(allowance, 1000);
            allowance.charge(1_000_000);
        }
    }

    @Test
    void request_limitsOfItsOwn_goBeforeThoseOfAll() {
        Caller caller = caller(new ClientLimits(1, null, 0, null));

        Balances balances = limits.request(caller).toCompletableFuture().join().balances();

        assertThat(Objects.requireNonNull(balances.requests()).limit()).isEqualTo(1);
        assertThat(Objects.requireNonNull(balances.tokens()).limit()).isEqualTo(100);
        assertThat(balances.pictures()).isNull();
    }

    /** However answers end, and whenever: what was charged on average is the limit. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void charge_greedyCaller_getsExactlyTheLimitOnAverage(long seed) {
        Limits greedy = limits(new ClientLimits(0, 1000, 0, 0));
        Random random = new Random(seed);
        long charged = 0;
        long minutes = 500;
        for (int second = 0; second < 60 * minutes; second++) {
            Allowance allowance = greedy.request(caller(ClientLimits.NONE_OF_ITS_OWN))
                    .toCompletableFuture()
                    .join();
            if (Objects.requireNonNull(allowance.balances().tokens()).taken()) {
                int tokens = 1 + random.nextInt(2500);
                allowance.enter();
                allowance.charge(tokens);
                charged += tokens;
            }
            time.advance(Duration.ofSeconds(1));
        }
        assertThat(charged).isBetween(1000 * minutes, 1000 * minutes + 2500);
    }

    private static Limits limits(ClientLimits of, FakeNanoTime time) {
        LimitsProperties properties = new LimitsProperties(
                Objects.requireNonNull(of.requestsPerMinute()),
                Objects.requireNonNull(of.tokensPerMinute()),
                Objects.requireNonNull(of.picturesPerMinute()),
                Objects.requireNonNull(of.concurrentRequests()),
                new LimitsProperties.Redis(null, Duration.ofMillis(100), LimitsProperties.OnFailure.OPEN));
        return Limits.of(properties, new LocalCounters(time));
    }

    private Limits limits(ClientLimits of) {
        return limits(of, time);
    }

    private Allowance request() {
        return limits.request(caller(ClientLimits.NONE_OF_ITS_OWN))
                .toCompletableFuture()
                .join();
    }

    private static Caller caller(ClientLimits own) {
        return new Caller("key:a", Set.of(Scope.INFERENCE), Priority.NORMAL, own, false);
    }

    private static void reserve(Allowance allowance, int pictures) {
        allowance.reserve(new Work(1, 1, pictures)).toCompletableFuture().join();
    }
}
