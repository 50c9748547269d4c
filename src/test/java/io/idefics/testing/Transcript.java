package io.idefics.testing;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A request and the answer that it must get, byte for byte but for ids and times. The files are described in
 * {@code src/test/resources/contract/README.md}.
 *
 * @param directory where {@code request.json} and {@code response.http} lie
 */
public record Transcript(Path directory) {

    private static final Path ROOT = Path.of("src/test/resources/contract");
    private static final String REQUEST = "request.json";
    private static final String RESPONSE = "response.http";
    private static final boolean UPDATE = Boolean.getBoolean("contract.update");
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    /** Headers that say nothing of one answer, or not the same each time. */
    private static final Set<String> PLAIN_HEADERS = Set.of(
            "connection",
            "content-length",
            "content-security-policy",
            "cross-origin-resource-policy",
            "date",
            "permissions-policy",
            "referrer-policy",
            "transfer-encoding",
            "vary",
            "x-content-type-options",
            "x-frame-options",
            "x-request-id");

    private static final Pattern LIMITS = Pattern.compile("^(x|anthropic)-ratelimit-");
    private static final Pattern TIMES = Pattern.compile("-ms$|time");

    /** What differs from run to run, and what stands in its place. */
    private static final Map<Pattern, String> NORMAL = Map.of(
            Pattern.compile("\\b([a-z]+[-_])[0-9a-f]{32}\\b"), "$1ID",
            Pattern.compile("\\bfp_[0-9a-f]{10}\\b"), "fp_ID",
            Pattern.compile("(?<=\"(?:created|created_at|completed_at)\":)[0-9.]+"), "0",
            Pattern.compile("(?<=_duration\":)[0-9.]+"), "0",
            Pattern.compile("(?<=\"created_at\":)\"[^\"]+\""), "\"TIME\"");

    /** All transcripts of the directory of that name. */
    public static Stream<Transcript> in(String name) {
        try (Stream<Path> directories = Files.list(ROOT.resolve(name))) {
            List<Transcript> all = directories
                    .filter(Files::isDirectory)
                    .sorted()
                    .map(Transcript::new)
                    .toList();
            assertThat(all).as("transcripts in " + name).isNotEmpty();
            return all.stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The request: its method, path, headers and body, and what else the test wants to know. */
    public JsonNode request() {
        try {
            return JSON.readTree(Files.readString(directory.resolve(REQUEST)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Sends the request to a server of this machine and compares its answer. */
    public void check(int port) {
        check(port, Map.of());
    }

    /** The same where more differs from run to run, and stands for itself with what replaces it. */
    public void check(int port, Map<Pattern, String> further) {
        String answer = normal(normal(answer(send(port)), NORMAL), further);
        Path file = directory.resolve(RESPONSE);
        try {
            if (UPDATE) {
                Files.writeString(file, answer);
            }
            assertThat(answer).isEqualTo(Files.readString(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private HttpResponse<String> send(int port) {
        JsonNode request = request();
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(
                        "http://localhost:" + port + request.get("path").textValue()))
                .timeout(PATIENCE)
                .method(request.get("method").textValue(), body(request.get("body")));
        request.path("headers")
                .properties()
                .forEach(header ->
                        builder.header(header.getKey(), header.getValue().textValue()));
        return CLIENT.sendAsync(builder.build(), BodyHandlers.ofString(StandardCharsets.UTF_8))
                .join();
    }

    private static BodyPublisher body(JsonNode body) {
        return body == null
                ? BodyPublishers.noBody()
                : BodyPublishers.ofString(body.isTextual() ? body.textValue() : body.toString());
    }

    private static String answer(HttpResponse<String> response) {
        Map<String, String> headers = new TreeMap<>();
        response.headers().map().forEach((name, values) -> {
            if (!PLAIN_HEADERS.contains(name) && !LIMITS.matcher(name).find()) {
                headers.put(name, TIMES.matcher(name).find() ? "N" : String.join(", ", values));
            }
        });
        String lines = headers.entrySet().stream()
                .map(header -> header.getKey() + ": " + header.getValue() + "\n")
                .collect(Collectors.joining());
        return response.statusCode() + "\n" + lines + "\n" + response.body();
    }

    private static String normal(String text, Map<Pattern, String> replacements) {
        String normal = text;
        for (Map.Entry<Pattern, String> replacement : replacements.entrySet()) {
            normal = replacement.getKey().matcher(normal).replaceAll(replacement.getValue());
        }
        return normal;
    }

    @Override
    public String toString() {
        return directory.getFileName().toString();
    }
}
