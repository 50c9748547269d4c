package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.bench.BenchCommand;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Benches the embedded model over HTTP and in process: that all is counted, not how fast it is. */
class BenchIT extends RunningServer {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void bench_overHttp_countsEverything() throws IOException {
        JsonNode report = bench("--url", "http://localhost:" + port + "/v1", "--concurrency", "1,2");

        assertThat(report.at("/environment/target").textValue()).isEqualTo("http://localhost:" + port + "/v1");
        assertThat(report.at("/runs/0/load/clients").intValue()).isEqualTo(1);
        assertThat(report.at("/runs/1/load/clients").intValue()).isEqualTo(2);
        assertCounts(report, 2);
    }

    @Test
    void bench_inProcess_countsEverything() throws IOException {
        JsonNode report = bench(
                "--in-process",
                "--rate",
                "50",
                "--idefics.models[0].path=src/main/resources/models/" + "idefics-mini-instruct");

        assertThat(report.at("/environment/target").textValue()).isEqualTo("in-process");
        assertThat(report.at("/runs/0/load/per_second").doubleValue()).isEqualTo(50);
        assertCounts(report, 1);
    }

    @Test
    void bench_modelCannotBeLoaded_saysWhy() {
        int status = BenchCommand.run(
                IdeficsApplication.class,
                new String[] {"--in-process", "--idefics.models[0].path=nowhere"},
                new PrintStream(new ByteArrayOutputStream()),
                new PrintStream(err, true));

        assertThat(status).isEqualTo(1);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .contains("The model nowhere cannot be served: ")
                .contains("no such model directory");
    }

    private void assertCounts(JsonNode report, int runs) {
        assertThat(report.at("/environment/model").textValue()).isEqualTo(modelId());
        assertThat(report.at("/complete").booleanValue()).isTrue();
        assertThat(report.get("runs")).hasSize(runs);
        for (JsonNode run : report.get("runs")) {
            assertThat(run.get("requests").toString())
                    .isEqualTo("{\"ok\":4,\"failed\":0,\"unfinished\":0,\"without_usage\":0}");
            // Of each request: the words of at least one message, a picture, and at most six tokens of an answer.
            assertThat(run.at("/tokens/prompt").intValue()).isGreaterThan(4 * (8 + 2));
            assertThat(run.at("/tokens/output").intValue()).isBetween(4, 4 * 6);
            JsonNode times = run.get("latencies_ms");
            assertThat(times.at("/end_to_end/count").intValue()).isEqualTo(4);
        }
    }

    private JsonNode bench(String... target) throws IOException {
        String workload =
                "--requests 4 --warmup 1 --turns 2 --images 1 --image-size 64 --prompt-tokens 8 --max-tokens 6"
                        + " --shared-prefix-tokens 4 --json -";
        String[] arguments =
                Stream.concat(Stream.of(target), Stream.of(workload.split(" "))).toArray(String[]::new);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int status = BenchCommand.run(
                IdeficsApplication.class, arguments, new PrintStream(out, true), new PrintStream(err, true));
        assertThat(status).as(err.toString(StandardCharsets.UTF_8)).isZero();
        return JSON.readTree(out.toByteArray());
    }
}
