package io.idefics.clients;

import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import io.idefics.testing.MiniEvaluation;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The packaged server in a process of its own, and a host of pictures for it. The working directory is the server's. */
final class PackagedServer implements Server, AutoCloseable {

    private static final Path JAR = Path.of("target/idefics-server.jar");
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final Pattern PORT = Pattern.compile("started on port (\\d+)");
    private static final String LOOPBACK = "127.0.0.1";

    /** Few, so that they are soon taken. */
    private static final int REQUESTS_AT_ONCE = 4;

    private static final String ENDLESS =
            """
            {"messages": [{"role": "user", "content": "Hello!"}], "logit_bias": {"2": -100, "1002": -100}, "stream": true}
            """;

    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final HttpServer pictures;
    private final Path log;
    private final Process process;
    private final String url;

    /** Starts the server and waits until its model is ready. */
    PackagedServer(Path directory) throws IOException {
        pictures = HttpServer.create(new InetSocketAddress(LOOPBACK, 0), 0);
        pictures.createContext("/", exchange -> {
            try (exchange) {
                byte[] picture =
                        MiniEvaluation.image(exchange.getRequestURI().getPath().substring(1));
                exchange.sendResponseHeaders(200, picture.length);
                exchange.getResponseBody().write(picture);
            }
        });
        pictures.start();
        log = directory.resolve("server.log");
        ProcessBuilder builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Dai.djl.offline=true",
                        "-jar",
                        JAR.toAbsolutePath().toString(),
                        "--server.port=0",
                        "--idefics.admission.max-concurrent-requests=" + REQUESTS_AT_ONCE,
                        "--idefics.image.allowed-addresses=" + LOOPBACK + "/32",
                        "--idefics.image.allowed-ports=80,443,"
                                + pictures.getAddress().getPort())
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        builder.environment().put("OPT_OUT_TRACKING", "true");
        process = builder.start();
        try {
            url = "http://localhost:" + await().atMost(PATIENCE).until(this::port, port -> !port.isEmpty());
            await().atMost(PATIENCE).until(() -> meter("idefics.engine.ready") == 1);
        } catch (RuntimeException | Error e) {
            String written = Files.readString(log);
            close();
            throw new AssertionError(written, e);
        }
    }

    @Override
    public String url() {
        return url;
    }

    @Override
    public String pictureUrl(String path) {
        return "http://" + LOOPBACK + ":" + pictures.getAddress().getPort() + "/" + path;
    }

    @Override
    public Hold fill() {
        List<InputStream> answers = new ArrayList<>();
        while (answers.size() < REQUESTS_AT_ONCE) {
            answers.add(endlessAnswer());
        }
        await().atMost(PATIENCE).until(() -> room() == 0);
        return () -> {
            answers.forEach(PackagedServer::close);
            awaitIdle();
        };
    }

    @Override
    public void awaitIdle() {
        await().atMost(PATIENCE)
                .until(() -> room() == REQUESTS_AT_ONCE
                        && meter("idefics.engine.sequences.running") == 0
                        && meter("idefics.engine.sequences.waiting") == 0);
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().join();
        pictures.stop(0);
    }

    private double room() {
        return meter("resilience4j.bulkhead.available.concurrent.calls");
    }

    /** The body of a stream that goes on until it is closed. */
    private InputStream endlessAnswer() {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/v1/chat/completions"))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(ENDLESS))
                .build();
        return client.sendAsync(request, BodyHandlers.ofInputStream()).join().body();
    }

    private static void close(InputStream body) {
        try {
            body.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String port() throws IOException {
        if (!process.isAlive()) {
            throw new IllegalStateException("the server ended with " + process.exitValue());
        }
        Matcher matcher = PORT.matcher(Files.readString(log));
        return matcher.find() ? matcher.group(1) : "";
    }
}
