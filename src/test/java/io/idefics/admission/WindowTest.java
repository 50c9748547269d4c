package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WindowTest {

    private final FakeNanoTime time = new FakeNanoTime();

    @Test
    void take_upToTheLimit_refusesTheNextUntilTheMinuteIsOver() {
        Window window = Window.strict(3, time);
        time.advance(Duration.ofSeconds(10));

        assertThat(window.take(1)).isEqualTo(new Balance(3, true, 2, Duration.ZERO, Duration.ofSeconds(50)));
        assertThat(window.take(1).remaining()).isEqualTo(1);
        assertThat(window.take(1).remaining()).isZero();
        assertThat(window.take(1)).isEqualTo(new Balance(3, false, 0, Duration.ofSeconds(50), Duration.ofSeconds(50)));

        time.advance(Duration.ofSeconds(50).minusNanos(1));
        assertThat(window.take(1).retry()).isEqualTo(Duration.ofNanos(1));
        time.advance(Duration.ofNanos(1));
        assertThat(window.take(3)).isEqualTo(new Balance(3, true, 0, Duration.ZERO, Duration.ofMinutes(1)));
    }

    @Test
    void take_moreThanIsLeft_takesNothing() {
        Window window = Window.strict(10, time);
        window.take(4);

        assertThat(window.take(7)).isEqualTo(new Balance(10, false, 6, Duration.ofMinutes(1), Duration.ofMinutes(1)));
        assertThat(window.take(6).taken()).isTrue();
    }

    @Test
    void take_overdrawn_isPaidBackMinuteByMinute() {
        Window window = Window.overdrawn(100, time);

        assertThat(window.look()).isEqualTo(new Balance(100, true, 100, Duration.ZERO, Duration.ZERO));
        window.take(250);
        assertThat(window.look())
                .isEqualTo(new Balance(100, false, -150, Duration.ofMinutes(2), Duration.ofMinutes(3)));
        time.advance(Duration.ofMinutes(1));
        assertThat(window.look()).isEqualTo(new Balance(100, false, -50, Duration.ofMinutes(1), Duration.ofMinutes(2)));
        time.advance(Duration.ofMinutes(1));
        assertThat(window.look()).isEqualTo(new Balance(100, true, 50, Duration.ZERO, Duration.ofMinutes(1)));
        time.advance(Duration.ofMinutes(1));
        assertThat(window.look().remaining()).isEqualTo(100);
    }

    @Test
    void take_toExactlyNothing_hasNothingLeft() {
        Window window = Window.overdrawn(100, time);
        window.take(100);

        assertThat(window.look()).isEqualTo(new Balance(100, false, 0, Duration.ofMinutes(1), Duration.ofMinutes(1)));
    }

    @Test
    void take_afterALongTime_doesNotSaveUp() {
        Window window = Window.strict(5, time);
        time.advance(Duration.ofDays(300));

        assertThat(window.take(5).taken()).isTrue();
        assertThat(window.take(1).taken()).isFalse();
    }

    @Test
    void take_theLargestLimit_doesNotOverflow() {
        Window window = Window.overdrawn(LimitsProperties.MOST, time);
        window.take(LimitsProperties.MOST);
        window.take(LimitsProperties.MOST);

        assertThat(window.look())
                .isEqualTo(new Balance(
                        LimitsProperties.MOST,
                        false,
                        -LimitsProperties.MOST,
                        Duration.ofMinutes(2),
                        Duration.ofMinutes(2)));
        assertThat(window.reset()).isEqualTo(Duration.ofMinutes(2));
    }

    /** Against the simplest model: a sum that is made good at the end of each minute. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void take_anythingAtAnyTime_isAsTheModelSays(long seed) {
        Random random = new Random(seed);
        int limit = 1 + random.nextInt(50);
        boolean overdrawn = random.nextBoolean();
        Window window = overdrawn ? Window.overdrawn(limit, time) : Window.strict(limit, time);
        long nanos = 0;
        long minute = 0;
        long left = limit;
        long takenInMinute = 0;
        for (int step = 0; step < 5_000; step++) {
            long passed = (long)
                    (Math.pow(random.nextDouble(), 4) * Duration.ofMinutes(3).toNanos());
            time.advance(Duration.ofNanos(passed));
            nanos += passed;
            long now = nanos / Duration.ofMinutes(1).toNanos();
            if (now > minute) {
                left = Math.min(limit, left + (now - minute) * limit);
                minute = now;
                takenInMinute = 0;
            }
            int amount = 1 + random.nextInt(overdrawn ? 3 * limit : limit);
            boolean expected = overdrawn || amount <= left;
            if (expected) {
                left -= amount;
                takenInMinute += amount;
            }

            Balance balance = window.take(amount);

            assertThat(balance.taken()).as("seed %d, step %d", seed, step).isEqualTo(expected);
            assertThat(balance.remaining()).as("seed %d, step %d", seed, step).isEqualTo(left);
            assertThat(overdrawn || takenInMinute <= limit).isTrue();
            if (!balance.taken()) {
                assertThat(balance.retry())
                        .isEqualTo(Duration.ofMinutes(minute + 1).minusNanos(nanos));
            }
            long minutes = (limit - left + limit - 1) / limit;
            assertThat(balance.reset())
                    .as("seed %d, step %d", seed, step)
                    .isEqualTo(
                            minutes == 0
                                    ? Duration.ZERO
                                    : Duration.ofMinutes(minute + minutes).minusNanos(nanos));
        }
    }
}
