package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Permit;
import io.idefics.generation.Priority;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.http.HttpStatus;
import org.springframework.test.context.TestPropertySource;

/** Clients that send slowly or nothing at all keep nobody out. */
@TestPropertySource(
        properties = {
            "idefics.web.header-timeout=300ms",
            "idefics.web.max-connections=40",
            "idefics.admission.max-concurrent-requests=8",
            "idefics.admission.max-incoming-bodies=4"
        })
class SlowClientsIT extends WebServerTest {

    private static final String HEAD =
            "POST " + CHAT + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    private static final String SLOW_BODY = HEAD + "Content-Length: 1000\r\n\r\n{";

    @Autowired
    ConcurrencyLimiter limiter;

    @Autowired
    Connections connections;

    private final List<Socket> sockets = new ArrayList<>();

    @BeforeEach
    void awaitRoom() {
        awaitBodies(0);
        await().atMost(PATIENCE).until(() -> limiter.available() == 8);
    }

    @AfterEach
    void closeSockets() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    @Test
    void headers_incomplete_areRefusedWhenTheirTimeIsOver() throws IOException {
        Socket socket = open("POST " + CHAT + " HTTP/1.1\r\nX-Slow: ");

        String response = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(response).startsWith("HTTP/1.1 408 ");
        String body = response.substring(response.indexOf("\r\n\r\n") + 4);
        assertThat(error(body.getBytes(StandardCharsets.UTF_8)).get("code").asText())
                .isEqualTo("request_timeout");
    }

    @Test
    void bodies_onTheirWay_takeNoPlaceOfOthers() throws IOException {
        for (int i = 0; i < 3; i++) {
            open(SLOW_BODY);
        }
        awaitBodies(3);

        post(HELLO).expectStatus().isOk();

        assertThat(limiter.arriving()).isEqualTo(3);
    }

    @Test
    void bodies_manyAndSlow_makeRoomForOthers() throws IOException {
        for (int i = 0; i < 4; i++) {
            open(SLOW_BODY);
        }
        awaitBodies(4);

        // They are only slow when they have been on their way for a while.
        await().atMost(PATIENCE)
                .pollInterval(Duration.ofMillis(100))
                .untilAsserted(() -> post(HELLO).expectStatus().isOk());

        assertThat(limiter.displaced()).isPositive();
        await().atMost(PATIENCE).until(() -> answered().isPresent());
        assertThat(status(answered().orElseThrow())).isEqualTo("HTTP/1.1 503 ");
    }

    @Test
    void expectContinue_admitted_isToldToGoOn() throws IOException {
        Socket socket = open(
                HEAD + "Expect: 100-continue\r\nConnection: close\r\nContent-Length: " + HELLO.length() + "\r\n\r\n");

        assertThat(status(socket)).isEqualTo("HTTP/1.1 100 ");
        socket.getOutputStream().write(HELLO.getBytes(StandardCharsets.US_ASCII));

        assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .contains("HTTP/1.1 200 ");
    }

    @Test
    void expectContinue_noRoom_isRefusedBeforeTheBody() throws IOException {
        try (Places taken = takeAll()) {
            Socket socket = open(HEAD + "Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n");

            assertThat(status(socket)).isEqualTo("HTTP/1.1 503 ");
        }
    }

    @Test
    void pipelinedRequests_areAnsweredInTurn() throws IOException {
        String get = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n";
        Socket socket = open(get + "\r\n" + get + "\r\n" + get + "Connection: close\r\n\r\n");

        String responses = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(responses.split("HTTP/1.1 200 ", -1)).hasSize(4);
    }

    @Test
    void pipelinedRequests_leaveTheConnectionToThoseThatFollow() throws IOException {
        String get = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n";
        Socket socket = open(HEAD + "Content-Length: " + HELLO.length() + "\r\n\r\n" + HELLO + get);
        InputStream in = socket.getInputStream();

        assertThat(response(in)).startsWith("HTTP/1.1 200 ");
        assertThat(response(in)).startsWith("HTTP/1.1 200 ");
        socket.getOutputStream().write(get.getBytes(StandardCharsets.US_ASCII));

        assertThat(response(in)).startsWith("HTTP/1.1 200 ");
    }

    @Test
    void connections_manyAndIdle_makeRoomForOthers() throws IOException {
        for (int i = 0; i < 40; i++) {
            open("");
        }
        await().atMost(PATIENCE).until(() -> connections.open() >= 40);

        post(HELLO).expectStatus().isOk();

        assertThat(connections.dropped(Connections.Drop.DISPLACED)).isPositive();
        assertThat(connections.open()).isLessThanOrEqualTo(40);
    }

    @Test
    void health_everythingTaken_isStillTold() {
        try (Places taken = takeAll()) {
            post(HELLO).expectStatus().isEqualTo(HttpStatus.SERVICE_UNAVAILABLE);
            for (String path : List.of("/actuator/health/liveness", "/actuator/health/readiness")) {
                client.get().uri(path).exchange().expectStatus().isOk();
            }
        }
    }

    private Places takeAll() {
        List<Permit> permits = new ArrayList<>();
        for (int i = limiter.available(); i > 0; i--) {
            permits.add(limiter.acquire(Priority.HIGH));
        }
        return () -> permits.forEach(Permit::close);
    }

    /** Places among the requests that are served. */
    private interface Places extends AutoCloseable {

        @Override
        void close();
    }

    private Optional<Socket> answered() throws IOException {
        for (Socket socket : sockets) {
            if (socket.getInputStream().available() > 0) {
                return Optional.of(socket);
            }
        }
        return Optional.empty();
    }

    private void awaitBodies(int bodies) {
        await().atMost(PATIENCE).until(() -> limiter.arriving() == bodies);
    }

    /** Reads one response to its end and returns its status and headers. */
    private static String response(InputStream in) throws IOException {
        String head = readHead(in);
        Matcher length = Pattern.compile("(?i)\r\ncontent-length: ([0-9]+)\r\n").matcher(head);
        assertThat(length.find()).isTrue();
        assertThat(in.readNBytes(Integer.parseInt(length.group(1)))).isNotEmpty();
        return head;
    }

    private static String status(Socket socket) throws IOException {
        return new String(socket.getInputStream().readNBytes(13), StandardCharsets.US_ASCII);
    }

    private Socket open(String text) throws IOException {
        Socket socket = new Socket("localhost", port);
        sockets.add(socket);
        socket.setSoTimeout((int) PATIENCE.toMillis());
        socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
        return socket;
    }
}
