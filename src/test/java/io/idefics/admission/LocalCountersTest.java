package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class LocalCountersTest {

    private static final Quota QUOTA = new Quota(2, 100, 5, 0);

    private final FakeNanoTime time = new FakeNanoTime();
    private final LocalCounters counters = new LocalCounters(time);

    @Test
    void takeRequest_ofOneCaller_leavesTheOthersAlone() {
        take("a");
        take("a");

        assertThat(taken("a")).isFalse();
        assertThat(taken("b")).isTrue();
    }

    @Test
    void takeRequest_limitsThatAreOff_haveNoBalance() {
        Balances balances = counters.takeRequest("a", new Quota(0, 0, 0, 0))
                .toCompletableFuture()
                .join();

        assertThat(balances).isEqualTo(Balances.UNLIMITED);
        assertThat(counters.takePictures("a", new Quota(0, 0, 0, 0), 1)
                        .toCompletableFuture()
                        .join())
                .isNull();
        counters.takeTokens("a", new Quota(0, 0, 0, 0), 1);
    }

    @Test
    void takeRequest_otherLimits_beginAnew() {
        take("a");
        take("a");

        assertThat(Objects.requireNonNull(counters.takeRequest("a", new Quota(3, 100, 5, 0))
                                .toCompletableFuture()
                                .join()
                                .requests())
                        .remaining())
                .isEqualTo(2);
    }

    @Test
    void takeTokens_afterTheCallerWasForgotten_areOwed() {
        take("a");
        time.advance(Duration.ofHours(1));
        assertThat(counters.size()).isZero();

        counters.takeTokens("a", QUOTA, 350);

        assertThat(tokens("a")).isEqualTo(-250);
    }

    @Test
    void takeTokens_aDebt_isRememberedUntilItIsPaid() {
        take("a");
        counters.takeTokens("a", QUOTA, 100 * 600); // ten hours of it

        time.advance(Duration.ofHours(9));
        assertThat(counters.size()).isEqualTo(1);
        assertThat(tokens("a")).isEqualTo(100 - 60 * 100);
        time.advance(Duration.ofHours(1));
        assertThat(tokens("a")).isEqualTo(100);
        time.advance(Duration.ofMinutes(2));
        assertThat(counters.size()).isZero();
    }

    @Test
    void takeRequest_whoWasIdle_isForgottenOnlyWhenAllIsThereAgain() {
        take("a");
        take("a");
        time.advance(Duration.ofSeconds(59));
        assertThat(taken("a")).isFalse();
        time.advance(Duration.ofSeconds(1));
        assertThat(taken("a")).isTrue();
    }

    @Test
    void takeRequest_manyCallers_knowsOnlySoMany() {
        IntStream.range(0, 3 * LocalCounters.MOST_CALLERS).forEach(i -> take("address:" + i));

        assertThat(counters.size()).isLessThanOrEqualTo(LocalCounters.MOST_CALLERS);
    }

    private Balances take(String caller) {
        return counters.takeRequest(caller, QUOTA).toCompletableFuture().join();
    }

    private boolean taken(String caller) {
        return Objects.requireNonNull(take(caller).requests()).taken();
    }

    private long tokens(String caller) {
        return Objects.requireNonNull(take(caller).tokens()).remaining();
    }
}
