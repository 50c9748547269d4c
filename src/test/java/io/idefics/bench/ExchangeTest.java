package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.bench.Outcome.Answer;
import io.idefics.bench.Outcome.Failure;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ExchangeTest {

    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private long now = 100;
    private final Exchange exchange = new Exchange(100, () -> now);

    @Test
    void answer_threeChunks_hasFirstEndAndLongestGap() {
        now = 150;
        exchange.text("a");
        now = 160;
        exchange.text("b");
        now = 190;
        exchange.text("c");
        now = 195;
        exchange.usage(new TokenUsage(9, 0, 4));
        exchange.completed();
        now = 300;
        exchange.completed();
        exchange.failed("late", "ignored");

        assertThat(exchange.await(PATIENCE))
                .isEqualTo(new Answer(100, 150, 195, 3, 30, "abc", new TokenUsage(9, 0, 4)));
    }

    @Test
    void answer_noText_beginsAtItsEnd() {
        now = 120;
        exchange.completed();
        assertThat(exchange.await(PATIENCE)).isEqualTo(new Answer(100, 120, 120, 0, 0, "", null));
    }

    @Test
    void answer_failsAfterText_isAFailure() {
        exchange.text("a");
        now = 130;
        exchange.failed("503", "no room");
        exchange.completed();
        assertThat(exchange.await(PATIENCE)).isEqualTo(new Failure(130, "503", "no room"));
    }

    @Test
    void await_nothingComes_isATimeout() {
        assertThat(exchange.await(Duration.ofNanos(1)))
                .isInstanceOfSatisfying(
                        Failure.class, failure -> assertThat(failure.status()).isEqualTo("timeout"));
    }
}
