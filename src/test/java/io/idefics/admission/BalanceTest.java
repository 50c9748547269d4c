package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BalanceTest {

    @ParameterizedTest
    @CsvSource({
        "PT0S, 0s",
        "PT0.000000001S, 1ms",
        "PT0.012S, 12ms",
        "PT0.9990001S, 1s",
        "PT1S, 1s",
        "PT1.001S, 2s",
        "PT59.9S, 1m0s",
        "PT6M, 6m0s",
        "PT61M1S, 1h1m1s"
    })
    void text_time_isRoundedUpAndWrittenAsOpenAiDoes(Duration time, String expected) {
        assertThat(Balance.text(time)).isEqualTo(expected);
    }
}
