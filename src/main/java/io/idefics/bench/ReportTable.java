package io.idefics.bench;

import io.idefics.bench.Report.Distribution;
import io.idefics.bench.Report.Environment;
import io.idefics.bench.Report.FailureCount;
import io.idefics.bench.Report.Latencies;
import io.idefics.bench.Report.Run;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A {@link Report} as text: a table of the loads, a table of the times and what went wrong. */
final class ReportTable {

    private static final List<String> LOADS =
            List.of("load", "ok", "failed", "seconds", "requests/s", "prompt tokens/s", "output tokens/s", "cached");
    private static final List<String> TIMES =
            List.of("load", "milliseconds", "mean", "p50", "p90", "p95", "p99", "max");

    private ReportTable() {}

    static String render(Report report) {
        StringBuilder text = new StringBuilder();
        Environment environment = report.environment();
        text.append(String.format(
                Locale.ROOT,
                "%s, %s%njava %s, %s, %d cores, %s%n%n",
                environment.model(),
                environment.target(),
                environment.java(),
                environment.os(),
                environment.cores(),
                environment.date()));
        append(text, loads(report.runs()), 1);
        List<List<String>> times = times(report.runs());
        if (times.size() > 1) {
            text.append(System.lineSeparator());
            append(text, times, 2);
        }
        notes(report).forEach(note -> text.append(System.lineSeparator()).append(note));
        return text.append(System.lineSeparator()).toString();
    }

    private static List<List<String>> loads(List<Run> runs) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(LOADS);
        for (Run run : runs) {
            rows.add(List.of(
                    run.load().label(),
                    Long.toString(run.requests().ok()),
                    Long.toString(run.requests().failed()),
                    decimal(run.durationSeconds(), 1),
                    decimal(run.requestsPerSecond(), 2),
                    decimal(run.tokens().promptPerSecond(), 1),
                    decimal(run.tokens().outputPerSecond(), 1),
                    decimal(run.tokens().cachedShare() * 100, 1) + "%"));
        }
        return rows;
    }

    private static List<List<String>> times(List<Run> runs) {
        List<List<String>> rows = new ArrayList<>();
        rows.add(TIMES);
        for (Run run : runs) {
            Latencies times = run.latenciesMs();
            String load = run.load().label();
            addTime(rows, load, "time to first token", times.timeToFirstToken());
            addTime(rows, load, "  of first turns", times.timeToFirstTokenFirstTurn());
            addTime(rows, load, "  of later turns", times.timeToFirstTokenLaterTurns());
            addTime(rows, load, "time per output token", times.timePerOutputToken());
            addTime(rows, load, "longest gap", times.maxTokenGap());
            addTime(rows, load, "end to end", times.endToEnd());
        }
        return rows;
    }

    private static void addTime(List<List<String>> rows, String load, String name, @Nullable Distribution times) {
        if (times != null) {
            rows.add(List.of(
                    load,
                    name,
                    decimal(times.mean(), 2),
                    decimal(times.p50(), 2),
                    decimal(times.p90(), 2),
                    decimal(times.p95(), 2),
                    decimal(times.p99(), 2),
                    decimal(times.max(), 2)));
        }
    }

    private static List<String> notes(Report report) {
        List<String> notes = new ArrayList<>();
        for (Run run : report.runs()) {
            String load = run.load().label();
            for (FailureCount failure : run.failures()) {
                notes.add(
                        load + ": " + failure.count() + " failed with " + failure.status() + ": " + failure.example());
            }
            if (run.requests().withoutUsage() > 0) {
                notes.add(load + ": " + run.requests().withoutUsage()
                        + " answers came without usage; their pieces of text are counted as tokens");
            }
            if (run.requests().unfinished() > 0) {
                notes.add(load + ": " + run.requests().unfinished() + " requests were not finished");
            }
            if (run.maxStartDelayMs() != null && run.maxStartDelayMs() >= 100) {
                notes.add(load + ": requests were sent up to " + decimal(run.maxStartDelayMs(), 0)
                        + " ms after they were due; the times count from when they were due");
            }
        }
        if (!report.complete()) {
            notes.add("Ended early: this is what was measured until then.");
        }
        return notes;
    }

    /** Columns two spaces apart; the first ones, as many as are given, to the left and the others to the right. */
    private static void append(StringBuilder text, List<List<String>> rows, int left) {
        int[] widths = new int[rows.get(0).size()];
        for (List<String> row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < widths.length; i++) {
                String padding = " ".repeat(widths[i] - row.get(i).length());
                line.append(i < left ? row.get(i) + padding : padding + row.get(i))
                        .append("  ");
            }
            text.append(line.toString().stripTrailing()).append(System.lineSeparator());
        }
    }

    private static String decimal(double value, int digits) {
        return String.format(Locale.ROOT, "%." + digits + "f", value);
    }
}
