package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The service with its embedded model in a process of its own, which a test may stop and end. */
final class ServerProcess implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofSeconds(180);
    private static final Pattern PORT = Pattern.compile("started on port (\\d+)");

    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private final Process process;
    private final Path log;
    private final int port;

    private ServerProcess(Process process, Path log) {
        this.process = process;
        this.log = log;
        this.port = await().atMost(PATIENCE).until(this::announcedPort, found -> found > 0);
        await().atMost(PATIENCE).until(() -> get("/actuator/health/readiness").statusCode() == 200);
    }

    /**
     * Starts the service and waits until its model is ready.
     *
     * @param directory where it runs and its log is written
     * @param jvmOptions as in {@code -Xmx256m}
     * @param settings as in {@code --idefics.engine.watchdog-timeout=2s}
     */
    static ServerProcess start(Path directory, List<String> jvmOptions, String... settings) {
        return start(IdeficsApplication.class, directory, jvmOptions, settings);
    }

    /** Starts an application that is the service with changes. */
    static ServerProcess start(Class<?> application, Path directory, List<String> jvmOptions, String... settings) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(jvmOptions);
        command.add("--enable-native-access=ALL-UNNAMED");
        command.add("-Dai.djl.offline=true");
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(application.getName());
        command.add("--server.port=0");
        command.addAll(List.of(settings));
        Path log = directory.resolve("server.log");
        try {
            Process process = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            try {
                return new ServerProcess(process, log);
            } catch (RuntimeException | Error e) {
                process.destroyForcibly();
                throw new AssertionError(Files.readString(log), e);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    HttpResponse<String> get(String path) {
        HttpRequest request =
                HttpRequest.newBuilder(uri(path)).timeout(PATIENCE).build();
        return CLIENT.sendAsync(request, BodyHandlers.ofString()).join();
    }

    CompletableFuture<HttpResponse<String>> post(String body) {
        return post(body.getBytes(StandardCharsets.UTF_8));
    }

    CompletableFuture<HttpResponse<String>> post(byte[] body) {
        return CLIENT.sendAsync(chat(body), BodyHandlers.ofString());
    }

    /** The lines of an answer as they come. */
    CompletableFuture<Stream<String>> lines(String body) {
        return CLIENT.sendAsync(chat(body.getBytes(StandardCharsets.UTF_8)), BodyHandlers.ofLines())
                .thenApply(HttpResponse::body);
    }

    private HttpRequest chat(byte[] body) {
        return HttpRequest.newBuilder(uri("/v1/chat/completions"))
                .header("Content-Type", "application/json")
                .timeout(PATIENCE)
                .POST(BodyPublishers.ofByteArray(body))
                .build();
    }

    /** Where it listens. */
    InetSocketAddress address() {
        return new InetSocketAddress("127.0.0.1", port);
    }

    long pid() {
        return process.pid();
    }

    /** Sends a signal to the process, as in {@code STOP}. */
    void signal(String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid()))
                .inheritIO()
                .start();
        assertThat(kill.waitFor()).isZero();
    }

    int port() {
        return port;
    }

    boolean isAlive() {
        return process.isAlive();
    }

    String log() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    private URI uri(String path) {
        return URI.create("http://localhost:" + port + path);
    }

    private int announcedPort() {
        if (!process.isAlive()) {
            throw new IllegalStateException("the service ended with " + process.exitValue());
        }
        Matcher matcher = PORT.matcher(log());
        return matcher.find() ? Integer.parseInt(matcher.group(1)) : 0;
    }
}
