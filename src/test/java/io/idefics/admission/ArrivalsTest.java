package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.admission.Arrivals.Arrival;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ArrivalsTest {

    private static final int RATE = 1000;

    private long now;

    @Test
    void enter_full_takesThePlaceOfTheSlowest() {
        Arrivals arrivals = arrivals(3);
        Arrival slow = arrivals.enter("a");
        Arrival slowest = arrivals.enter("b");
        Arrival fast = arrivals.enter("c");
        advance(2);
        slowest.progress(10);
        slow.progress(1000);
        fast.progress(50_000);

        arrivals.enter("d");

        assertThat(slowest.displaced()).isCompletedExceptionally();
        assertThat(slow.displaced()).isNotDone();
        assertThat(fast.displaced()).isNotDone();
        assertThat(arrivals.size()).isEqualTo(3);
        assertThat(arrivals.displaced()).isEqualTo(1);
    }

    @Test
    void enter_oneHasStoppedAfterAFastStart_takesItsPlace() {
        Arrivals arrivals = arrivals(1);
        Arrival stopped = arrivals.enter("a");
        stopped.progress(1_000_000);
        advance(2);

        arrivals.enter("b");

        assertThat(stopped.displaced()).isCompletedExceptionally();
    }

    @Test
    void enter_fullOfBodiesThatAreFastOrNew_isRefused() {
        Arrivals arrivals = arrivals(2);
        Arrival fast = arrivals.enter("a");
        advance(10);
        fast.progress(50_000);
        arrivals.enter("b");

        assertThat(arrivals.enter("c")).isNull();
        assertThat(arrivals.size()).isEqualTo(2);
    }

    @Test
    void enter_fullOfOneClient_takesAPlaceOfItsSlowestHoweverNew() {
        Arrivals arrivals = arrivals(4);
        Arrival other = arrivals.enter("other");
        Arrival first = arrivals.enter("greedy");
        Arrival second = arrivals.enter("greedy");
        Arrival third = arrivals.enter("greedy");
        now += TimeUnit.MILLISECONDS.toNanos(500);
        first.progress(10);
        third.progress(10);

        arrivals.enter("new");

        assertThat(second.displaced()).isCompletedExceptionally();
        assertThat(other.displaced()).isNotDone();
    }

    @Test
    void enter_fullOfItself_isRefused() {
        Arrivals arrivals = arrivals(2);
        arrivals.enter("greedy");
        arrivals.enter("greedy");

        assertThat(arrivals.enter("greedy")).isNull();
    }

    @Test
    void makeRoom_slowOther_isEndedAndNotTheOneThatAsks() {
        Arrivals arrivals = arrivals(8);
        Arrival slow = arrivals.enter("a");
        advance(10);
        Arrival asking = arrivals.enter("b");

        assertThat(arrivals.makeRoom(asking)).isTrue();
        assertThat(slow.displaced()).isCompletedExceptionally();
        assertThat(arrivals.makeRoom(asking)).isFalse();
    }

    private Arrivals arrivals(int max) {
        return new Arrivals(max, RATE, () -> now);
    }

    private void advance(int seconds) {
        now += TimeUnit.SECONDS.toNanos(seconds);
    }
}
