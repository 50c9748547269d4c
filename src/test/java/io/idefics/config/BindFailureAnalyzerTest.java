package io.idefics.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import org.junit.jupiter.api.Test;
import org.springframework.boot.diagnostics.FailureAnalysis;
import reactor.netty.http.server.HttpServer;

class BindFailureAnalyzerTest {

    @Test
    void analyze_portThatCannotBeHad_namesItAndTheReason() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            HttpServer server = HttpServer.create().host("127.0.0.1").port(taken.getLocalPort());
            Throwable failure = new IllegalStateException(catchThrowable(server::bindNow));

            FailureAnalysis analysis = new BindFailureAnalyzer().analyze(failure);

            assertThat(analysis.getDescription())
                    .isEqualTo("The server cannot listen on 127.0.0.1:%d: Address already in use."
                            .formatted(taken.getLocalPort()));
            assertThat(analysis.getAction()).contains("server.address", "server.port", "management.server.port");
        }
    }

    @Test
    void analyze_anotherFailure_isLeftToOthers() {
        assertThat(new BindFailureAnalyzer().analyze(new IllegalStateException("x")))
                .isNull();
    }
}
