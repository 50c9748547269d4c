package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.image.TestPictures;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bodies that together are larger than the heap do not end a process that ends when its heap is full. */
class SmallHeapIT {

    private static final int REQUESTS = 48;
    private static final int SIDE = 1600;

    @TempDir
    private Path directory;

    @Test
    void bodies_largerThanTheHeapTogether_areRefusedBeyondWhatFits() throws Exception {
        try (ServerProcess server = ServerProcess.start(
                directory,
                List.of("-Xmx320m", "-XX:+ExitOnOutOfMemoryError"),
                "--idefics.web.max-body-size=16MB",
                "--idefics.image.max-decoding-bytes=64MB")) {
            byte[] large =
                    request("data:image/png;base64," + Base64.getEncoder().encodeToString(noise()));
            assertThat(REQUESTS * (long) large.length).isGreaterThan(320_000_000);
            byte[] small = request();
            String before = RunningServer.text(server.post(small).join());

            List<CompletableFuture<HttpResponse<String>>> answers =
                    Stream.generate(() -> server.post(large)).limit(REQUESTS).toList();
            List<Integer> statuses = new ArrayList<>();
            for (CompletableFuture<HttpResponse<String>> answer : answers) {
                statuses.add(answer.get(60, TimeUnit.SECONDS).statusCode());
            }

            assertThat(statuses).containsOnly(200, 503);
            assertThat(server.post(large).join().statusCode()).isEqualTo(200);
            assertThat(RunningServer.text(server.post(small).join())).isEqualTo(before);
            assertThat(server.isAlive()).isTrue();
        }
    }

    private static byte[] request(String... pictures) {
        return RunningServer.request(RunningServer.userMessage("What is this?", pictures))
                .put("max_tokens", 8)
                .toString()
                .getBytes(StandardCharsets.UTF_8);
    }

    /** A PNG that cannot be compressed. */
    private static byte[] noise() {
        byte[] rows = new byte[SIDE * (1 + 3 * SIDE)];
        new Random(1).nextBytes(rows);
        for (int row = 0; row < SIDE; row++) {
            rows[row * (1 + 3 * SIDE)] = 0;
        }
        return TestPictures.png(SIDE, SIDE, 8, 2, rows);
    }
}
