package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.idefics.bench.Outcome.Answer;
import io.idefics.bench.Outcome.Failure;
import io.idefics.bench.Report.Distribution;
import io.idefics.bench.Report.FailureCount;
import io.idefics.bench.Report.Requests;
import io.idefics.bench.Report.Run;
import java.util.stream.LongStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class MeasurementsTest {

    private static final long MILLI = 1_000_000;
    private static final Offset<Double> THREE_DIGITS = within(0.11);

    private final Measurements measurements = new Measurements(new Load.Clients(1), 0);

    @Test
    void snapshot_oneToHundredMillis_hasTheirPercentiles() {
        LongStream.rangeClosed(1, 100).forEach(i -> answer(i * MILLI, 200 * MILLI, 11, 0));

        Distribution times = measurements.snapshot().latenciesMs().timeToFirstToken();

        assertThat(times.count()).isEqualTo(100);
        assertThat(times.mean()).isCloseTo(50.5, THREE_DIGITS);
        assertThat(times.p50()).isCloseTo(50, THREE_DIGITS);
        assertThat(times.p90()).isCloseTo(90, THREE_DIGITS);
        assertThat(times.p95()).isCloseTo(95, THREE_DIGITS);
        assertThat(times.p99()).isCloseTo(99, THREE_DIGITS);
        assertThat(times.max()).isCloseTo(100, THREE_DIGITS);
    }

    @Test
    void snapshot_answer_hasTimePerTokenButTheFirst() {
        answer(100 * MILLI, 200 * MILLI, 11, 0);

        Run run = measurements.snapshot();

        assertThat(run.latenciesMs().timePerOutputToken().mean()).isCloseTo(10, THREE_DIGITS);
        assertThat(run.latenciesMs().endToEnd().mean()).isCloseTo(200, within(0.3));
        assertThat(run.latenciesMs().maxTokenGap().mean()).isCloseTo(7, THREE_DIGITS);
        assertThat(run.durationSeconds()).isEqualTo(0.2);
        assertThat(run.requestsPerSecond()).isEqualTo(5);
        assertThat(run.tokens().outputPerSecond()).isEqualTo(55);
        assertThat(run.tokens().promptPerSecond()).isEqualTo(100);
        assertThat(run.tokens().cachedShare()).isEqualTo(0.25);
    }

    @Test
    void snapshot_turns_areSeparate() {
        answer(1 * MILLI, 2 * MILLI, 2, 0);
        answer(100_000 * MILLI, 100_001 * MILLI, 2, 1);
        answer(100_000 * MILLI, 100_001 * MILLI, 2, 2);

        Report.Latencies times = measurements.snapshot().latenciesMs();

        assertThat(times.timeToFirstToken().count()).isEqualTo(3);
        assertThat(times.timeToFirstToken().max()).isCloseTo(100_000, within(100.0));
        assertThat(times.timeToFirstTokenFirstTurn().count()).isEqualTo(1);
        assertThat(times.timeToFirstTokenFirstTurn().max()).isCloseTo(1, THREE_DIGITS);
        assertThat(times.timeToFirstTokenLaterTurns().count()).isEqualTo(2);
    }

    @Test
    void snapshot_oneTurn_namesNoTurns() {
        answer(1, 2, 2, 0);
        assertThat(measurements.snapshot().latenciesMs().timeToFirstTokenFirstTurn())
                .isNull();
    }

    @Test
    void snapshot_failures_areCountedByStatus() {
        measurements.started(0);
        measurements.ended(new Failure(5, "503", "no\n room"), 0);
        measurements.started(0);
        measurements.ended(new Failure(6, "503", "other"), 0);
        measurements.started(0);
        measurements.ended(new Failure(7, "timeout", "late"), 0);
        measurements.started(0);

        Run run = measurements.snapshot();

        assertThat(run.succeeded()).isFalse();
        assertThat(run.requests()).isEqualTo(new Requests(0, 3, 1, 0));
        assertThat(run.failures())
                .containsExactly(new FailureCount("503", 2, "no room"), new FailureCount("timeout", 1, "late"));
        assertThat(run.latenciesMs().endToEnd()).isNull();
        assertThat(run.durationSeconds()).isEqualTo(7e-9);
    }

    @Test
    void snapshot_endlesslyManyStatuses_areBounded() {
        for (int i = 0; i < 1_000; i++) {
            measurements.ended(new Failure(i, "status " + i, "x"), 0);
        }
        Run run = measurements.snapshot();
        assertThat(run.failures()).hasSize(101);
        assertThat(run.failures().stream().mapToLong(FailureCount::count).sum()).isEqualTo(1_000);
    }

    @Test
    void snapshot_noUsage_countsPieces() {
        measurements.ended(new Answer(0, 1, 3, 3, 1, "abc", null), 0);
        Run run = measurements.snapshot();
        assertThat(run.requests().withoutUsage()).isEqualTo(1);
        assertThat(run.tokens().output()).isEqualTo(3);
        assertThat(run.tokens().cachedShare()).isZero();
    }

    @Test
    void snapshot_answerWithoutText_hasNoFirstToken() {
        measurements.ended(new Answer(0, 9, 9, 0, 0, "", new TokenUsage(5, 0, 1)), 0);
        Report.Latencies times = measurements.snapshot().latenciesMs();
        assertThat(times.timeToFirstToken()).isNull();
        assertThat(times.timePerOutputToken()).isNull();
        assertThat(times.endToEnd().count()).isEqualTo(1);
    }

    @Test
    void snapshot_nothing_hasNoRates() {
        Run run = measurements.snapshot();
        assertThat(run.succeeded()).isTrue();
        assertThat(run.requestsPerSecond()).isZero();
    }

    @Test
    void snapshot_startDelay_isOfOfferedLoads() {
        Measurements offered = new Measurements(new Load.Rate(2), 0);
        offered.started(3 * MILLI);
        offered.started(2 * MILLI);
        assertThat(offered.snapshot().maxStartDelayMs()).isEqualTo(3);
        assertThat(measurements.snapshot().maxStartDelayMs()).isNull();
    }

    private void answer(long first, long end, int tokens, int turn) {
        measurements.started(0);
        measurements.ended(new Answer(0, first, end, 5, 7 * MILLI, "x", new TokenUsage(20, 5, tokens)), turn);
    }
}
