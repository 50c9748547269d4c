package io.idefics.bench;

import io.idefics.bench.Outcome.Answer;
import io.idefics.bench.Outcome.Failure;
import io.idefics.bench.Report.Distribution;
import io.idefics.bench.Report.FailureCount;
import io.idefics.bench.Report.Latencies;
import io.idefics.bench.Report.Requests;
import io.idefics.bench.Report.Run;
import io.idefics.bench.Report.Tokens;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/** What was measured under one load, in bounded memory however long it lasts. Thread-safe. */
final class Measurements {

    private static final int SIGNIFICANT_DIGITS = 3;
    private static final int MAX_STATUSES = 100;
    private static final int MAX_MESSAGE_LENGTH = 300;
    private static final double NANOS_PER_MILLI = 1e6;
    private static final double NANOS_PER_SECOND = 1e9;

    private final Load load;
    private final long begin;
    private final Map<String, FailureCount> failures = new TreeMap<>();
    private final Histogram firstTurn = histogram();
    private final Histogram laterTurns = histogram();
    private final Histogram perToken = histogram();
    private final Histogram gap = histogram();
    private final Histogram endToEnd = histogram();
    private long started;
    private long ok;
    private long failed;
    private long withoutUsage;
    private long promptTokens;
    private long cachedTokens;
    private long outputTokens;
    private long maxStartDelay;
    private long lastEnd;

    /** @param begin when the run begins, by {@link System#nanoTime()} */
    Measurements(Load load, long begin) {
        this.load = load;
        this.begin = begin;
        this.lastEnd = begin;
    }

    /** A request is sent, so many nanoseconds after it was due. */
    synchronized void started(long delay) {
        started++;
        maxStartDelay = Math.max(maxStartDelay, delay);
    }

    /** A request has ended; turns are counted from 0. */
    synchronized void ended(Outcome outcome, int turn) {
        if (outcome instanceof Answer answer) {
            answered(answer, turn);
            lastEnd = later(lastEnd, answer.end());
        } else if (outcome instanceof Failure failure) {
            failed++;
            String status = failures.size() < MAX_STATUSES || failures.containsKey(failure.status())
                    ? failure.status()
                    : "other";
            failures.merge(
                    status,
                    new FailureCount(status, 1, shortened(failure.message())),
                    (old, one) -> new FailureCount(status, old.count() + 1, old.example()));
            lastEnd = later(lastEnd, failure.end());
        }
    }

    private void answered(Answer answer, int turn) {
        ok++;
        endToEnd.recordValue(answer.end() - answer.start());
        if (answer.chunks() > 0) {
            (turn == 0 ? firstTurn : laterTurns).recordValue(answer.first() - answer.start());
        }
        if (answer.chunks() > 1) {
            gap.recordValue(answer.maxGap());
        }
        if (answer.chunks() > 0 && answer.outputTokens() > 1) {
            perToken.recordValue((answer.end() - answer.first()) / (answer.outputTokens() - 1));
        }
        outputTokens += answer.outputTokens();
        TokenUsage usage = answer.usage();
        if (usage == null) {
            withoutUsage++;
        } else {
            promptTokens += usage.promptTokens();
            cachedTokens += usage.cachedTokens();
        }
    }

    /** Everything until now. */
    synchronized Run snapshot() {
        double seconds = (lastEnd - begin) / NANOS_PER_SECOND;
        Histogram all = firstTurn.copy();
        all.add(laterTurns);
        boolean turns = laterTurns.getTotalCount() > 0;
        return new Run(
                load,
                new Requests(ok, failed, started - ok - failed, withoutUsage),
                List.copyOf(new ArrayList<>(failures.values())),
                seconds,
                rate(ok, seconds),
                new Tokens(
                        promptTokens,
                        cachedTokens,
                        outputTokens,
                        promptTokens == 0 ? 0 : (double) cachedTokens / promptTokens,
                        rate(promptTokens, seconds),
                        rate(outputTokens, seconds)),
                load instanceof Load.Rate ? maxStartDelay / NANOS_PER_MILLI : null,
                new Latencies(
                        distribution(all),
                        turns ? distribution(firstTurn) : null,
                        turns ? distribution(laterTurns) : null,
                        distribution(perToken),
                        distribution(gap),
                        distribution(endToEnd)));
    }

    private static double rate(long count, double seconds) {
        return seconds > 0 ? count / seconds : 0;
    }

    private static long later(long a, long b) {
        return a - b >= 0 ? a : b;
    }

    private static Histogram histogram() {
        return new Histogram(SIGNIFICANT_DIGITS);
    }

    private static @Nullable Distribution distribution(Histogram nanos) {
        if (nanos.getTotalCount() == 0) {
            return null;
        }
        return new Distribution(
                nanos.getTotalCount(),
                nanos.getMean() / NANOS_PER_MILLI,
                nanos.getValueAtPercentile(50) / NANOS_PER_MILLI,
                nanos.getValueAtPercentile(90) / NANOS_PER_MILLI,
                nanos.getValueAtPercentile(95) / NANOS_PER_MILLI,
                nanos.getValueAtPercentile(99) / NANOS_PER_MILLI,
                nanos.getMaxValue() / NANOS_PER_MILLI);
    }

    private static String shortened(String message) {
        String line = message.strip().replaceAll("\\s+", " ");
        return line.length() <= MAX_MESSAGE_LENGTH ? line : line.substring(0, MAX_MESSAGE_LENGTH) + "...";
    }
}
