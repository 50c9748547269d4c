package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A service that is told to stop tells the clients that it still answers. */
class ShutdownIT {

    @TempDir
    private Path directory;

    @Test
    void terminate_streamThatTakesLonger_endsWithAnError() throws Exception {
        try (ServerProcess server =
                ServerProcess.start(directory, List.of(), "--spring.lifecycle.timeout-per-shutdown-phase=4s")) {
            Iterator<String> lines = endlessAnswer(server);

            server.signal("TERM");

            List<String> rest = new ArrayList<>();
            lines.forEachRemaining(rest::add);
            assertThat(rest)
                    .filteredOn(last -> last.startsWith("data: {\"error\":"))
                    .hasSize(1);
            await().atMost(Duration.ofSeconds(60)).until(() -> !server.isAlive());
        }
    }

    @Test
    void terminateTwice_streamThatTakesLonger_endsAtOnce() throws Exception {
        try (ServerProcess server =
                ServerProcess.start(directory, List.of(), "--spring.lifecycle.timeout-per-shutdown-phase=10m")) {
            Iterator<String> unused = endlessAnswer(server);
            server.signal("TERM");
            await().atMost(Duration.ofSeconds(60)).until(() -> server.log().contains("Commencing graceful shutdown"));
            assertThat(server.isAlive()).isTrue();

            server.signal("INT");

            await().atMost(Duration.ofSeconds(10)).until(() -> !server.isAlive());
        }
    }

    /** What follows the first words of an answer of 1900 tokens. */
    private static Iterator<String> endlessAnswer(ServerProcess server) {
        String endless = RunningServer.request(RunningServer.userMessage("Tell me a story."))
                .put("stream", true)
                .put("min_tokens", 1900)
                .put("max_tokens", 1900)
                .toString();
        Iterator<String> lines = server.lines(endless).join().iterator();
        String line = lines.next();
        while (!line.matches(".*\"content\":\"[^\"]+\".*")) {
            line = lines.next();
        }
        return lines;
    }
}
