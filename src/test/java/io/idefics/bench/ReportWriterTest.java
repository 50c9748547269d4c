package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.bench.Outcome.Answer;
import io.idefics.bench.Outcome.Failure;
import io.idefics.bench.Report.Environment;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportWriterTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long MILLI = 1_000_000;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    private Path directory;

    @Test
    void write_noFile_printsAlignedTables() {
        assertThat(writer(null).write(report(true))).isTrue();

        List<String> lines = out.toString().lines().toList();
        assertThat(lines)
                .containsSequence(
                        "load      ok  failed  seconds  requests/s  prompt tokens/s  output tokens/s  cached",
                        "1 client   1       0      0.2        5.00            100.0             55.0   25.0%",
                        "4/s        0       1      0.0        0.00              0.0              0.0    0.0%")
                .contains("load      milliseconds             mean     p50     p90     p95     p99     max")
                .contains("4/s: 1 failed with 503: no room")
                .contains("4/s: requests were sent up to 200 ms after they were due; the times count from when"
                        + " they were due");
        assertThat(lines).noneMatch(line -> line.contains("Ended early"));
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void write_endedEarly_saysSo() {
        writer(null).write(report(false));
        assertThat(out.toString()).contains("Ended early");
    }

    @Test
    void write_dash_printsJsonAloneToTheStandardOutput() throws IOException {
        assertThat(writer("-").write(report(true))).isTrue();

        JsonNode json = JSON.readTree(out.toString());
        assertThat(json.at("/environment/target").textValue()).isEqualTo("in-process");
        assertThat(json.at("/workload/images").textValue()).isEqualTo("mix");
        assertThat(json.at("/workload/shared_prefix_tokens").intValue()).isEqualTo(5);
        assertThat(json.at("/complete").booleanValue()).isTrue();
        assertThat(json.at("/runs/0/load/clients").intValue()).isEqualTo(1);
        assertThat(json.at("/runs/0/latencies_ms/end_to_end").fieldNames())
                .toIterable()
                .containsExactly("count", "mean", "p50", "p90", "p95", "p99", "max");
        assertThat(json.at("/runs/1/load/per_second").doubleValue()).isEqualTo(4);
        assertThat(json.at("/runs/1/failures/0/example").textValue()).isEqualTo("no room");
        assertThat(json.at("/runs/1/max_start_delay_ms").doubleValue()).isEqualTo(200);
        assertThat(json.at("/runs/0").has("max_start_delay_ms")).isFalse();
        assertThat(err.toString()).contains("requests/s");
    }

    @Test
    void write_file_writesJsonAndPrintsTables() throws IOException {
        Path file = directory.resolve("report.json");
        assertThat(writer(file.toString()).write(report(true))).isTrue();
        assertThat(JSON.readTree(Files.readString(file)).get("runs")).hasSize(2);
        assertThat(out.toString()).contains("requests/s");
    }

    @Test
    void write_noSuchDirectory_saysSo() {
        Path file = directory.resolve("none").resolve("report.json");
        assertThat(writer(file.toString()).write(report(true))).isFalse();
        assertThat(err.toString()).startsWith("The report cannot be written to " + file);
    }

    private ReportWriter writer(String file) {
        return new ReportWriter(file, new PrintWriter(out, true), new PrintWriter(err, true));
    }

    private static Report report(boolean complete) {
        Measurements closed = new Measurements(new Load.Clients(1), 0);
        closed.ended(new Answer(0, 100 * MILLI, 200 * MILLI, 5, MILLI, "x", new TokenUsage(20, 5, 11)), 0);
        Measurements offered = new Measurements(new Load.Rate(4), 0);
        offered.started(200 * MILLI);
        offered.ended(new Failure(MILLI, "503", "no room"), 0);
        return new Report(
                new Environment("2026-01-02T03:04:05Z", "in-process", "mini", null, "17", "Linux", 2, List.of()),
                Workloads.of("mix", null, 5, 1, 1),
                complete,
                List.of(closed.snapshot(), offered.snapshot()));
    }
}
