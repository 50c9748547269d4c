package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that stands still for longer than its watchdog waits goes on as if nothing had been. */
class PauseIT {

    private static final int STREAMS = 4;
    private static final int TOKENS = 600;
    private static final long PATIENCE_SECONDS = 60;

    @TempDir
    private Path directory;

    @Test
    void process_standsStillWhileItAnswers_everyStreamEndsAsWithoutThat() throws Exception {
        try (ServerProcess server = ServerProcess.start(directory, List.of(), "--idefics.engine.watchdog-timeout=2s")) {
            String alone = RunningServer.text(server.post(request("Hi", false)).join());
            CountDownLatch begun = new CountDownLatch(STREAMS);
            List<CompletableFuture<String>> streams =
                    Stream.generate(() -> stream(server, begun)).limit(STREAMS).toList();
            assertThat(begun.await(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();

            server.signal("STOP");
            assertThat(streams).as("while the process stands still").noneMatch(CompletableFuture::isDone);
            assertThat(new ProcessBuilder("sleep", "5").start().waitFor()).isZero();
            server.signal("CONT");

            for (CompletableFuture<String> stream : streams) {
                assertThat(stream.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isEqualTo(alone);
            }
            for (String path : List.of("", "/readiness", "/liveness")) {
                assertThat(server.get("/actuator/health" + path).body()).contains("\"status\":\"UP\"");
            }
            JsonNode replica =
                    RunningServer.json(server.get("/actuator/models")).at("/models/0/replicas/0");
            assertThat(replica.get("restarts").intValue()).isZero();
            assertThat(server.log()).doesNotContain("ERROR", "hangs");
            assertThat(RunningServer.text(server.post(request("Hi", false)).join()))
                    .isEqualTo(alone);
        }
    }

    /** The text of a streamed answer that ended as it should. */
    private static CompletableFuture<String> stream(ServerProcess server, CountDownLatch begun) {
        return server.lines(request("Hi", true)).thenApplyAsync(lines -> {
            List<String> data = new ArrayList<>();
            lines.filter(line -> !line.isEmpty()).forEach(line -> {
                if (data.size() == 1) {
                    begun.countDown();
                }
                data.add(line);
            });
            assertThat(data.get(data.size() - 1)).isEqualTo("data: [DONE]");
            StringBuilder text = new StringBuilder();
            for (String line : data.subList(0, data.size() - 1)) {
                text.append(delta(line.substring("data: ".length())));
            }
            return text.toString();
        });
    }

    private static String delta(String chunk) {
        try {
            return RunningServer.JSON
                    .readTree(chunk)
                    .at("/choices/0/delta/content")
                    .asText();
        } catch (IOException e) {
            throw new AssertionError(chunk, e);
        }
    }

    private static String request(String text, boolean stream) {
        return RunningServer.request(RunningServer.userMessage(text))
                .put("max_tokens", TOKENS)
                .put("min_tokens", TOKENS)
                .put("stream", stream)
                .toString();
    }
}
