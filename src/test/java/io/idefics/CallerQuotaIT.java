package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.admission.ApiKey;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** What answers of the engine take from the limits of their caller; every test has a key of its own. */
class CallerQuotaIT extends RunningServer {

    private static final long TOKENS = 1_000_000;
    private static final List<String> KEYS = List.of("whole", "stream", "leaving", "pictures");

    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @DynamicPropertySource
    static void limits(DynamicPropertyRegistry properties) {
        properties.add("idefics.limits.tokens-per-minute", () -> TOKENS);
        properties.add("idefics.limits.pictures-per-minute", () -> 3);
        for (int i = 0; i < KEYS.size(); i++) {
            String name = KEYS.get(i);
            properties.add("idefics.access.keys[" + i + "].name", () -> name);
            properties.add("idefics.access.keys[" + i + "].hash", () -> ApiKey.hashOf(name));
        }
    }

    @Test
    void answer_whole_takesItsUsage() {
        HttpResponse<String> answer = chat(
                "whole", request(userMessage("Hello!")).put("max_tokens", 7).put("n", 2));

        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.headers().firstValueAsLong("x-ratelimit-remaining-tokens"))
                .hasValue(TOKENS);
        long used = json(answer).at("/usage/total_tokens").asLong();
        await().atMost(PATIENCE).until(() -> remaining("whole", "tokens") == TOKENS - used);
    }

    @Test
    void answer_stream_takesItsUsage() {
        ObjectNode request = request(userMessage("Hello!")).put("max_tokens", 7).put("stream", true);
        request.putObject("stream_options").put("include_usage", true);

        String stream = chat("stream", request).body();

        long used = Long.parseLong(stream.replaceAll("(?s).*\"total_tokens\":(\\d+).*", "$1"));
        await().atMost(PATIENCE).until(() -> remaining("stream", "tokens") == TOKENS - used);
    }

    @Test
    void answer_clientLeaves_takesThePromptAndWhatWasGenerated() throws IOException {
        ObjectNode request = request(userMessage("Hello!")).put("ignore_eos", true);
        int maxTokens = 1500;
        HttpResponse<String> one = chat("leaving", request.deepCopy().put("max_tokens", 1));
        long prompt = json(one).at("/usage/prompt_tokens").asLong();
        await().atMost(PATIENCE).until(() -> remaining("leaving", "tokens") == TOKENS - prompt - 1);

        leaveAfterTheFirstText("leaving", request.put("max_tokens", maxTokens).put("stream", true));

        awaitIdle(PATIENCE);
        await().atMost(PATIENCE).until(() -> remaining("leaving", "tokens") < TOKENS - prompt - 1);
        assertThat(TOKENS - prompt - 1 - remaining("leaving", "tokens")).isBetween(prompt + 1, prompt + maxTokens - 1);
    }

    @Test
    void pictures_moreThanAreLeft_areNotFetched() {
        String url = IMAGE_HOST.url("images/001.png");
        assertThat(remaining("pictures", "pictures")).isEqualTo(3);
        HttpResponse<String> first =
                chat("pictures", request(userMessage("?", url, url)).put("max_tokens", 1));
        assertThat(remaining("pictures", "pictures")).isEqualTo(1);
        int connections = IMAGE_HOST.connections();

        HttpResponse<String> second =
                chat("pictures", request(userMessage("?", url, url)).put("max_tokens", 1));
        HttpResponse<String> third =
                chat("pictures", request(userMessage("?", url, url, url, url)).put("max_tokens", 1));

        assertThat(second.statusCode()).isEqualTo(429);
        assertThat(json(second).at("/error/message").asText())
                .startsWith("The request has 2 pictures but of the limit of 3 pictures a minute only 1 are left;");
        assertThat(second.headers().firstValue("retry-after")).isPresent();
        assertThat(third.statusCode()).isEqualTo(429);
        assertThat(third.headers().firstValue("x-should-retry")).hasValue("false");
        assertThat(IMAGE_HOST.connections()).isEqualTo(connections);
        assertThat(first.statusCode()).isEqualTo(200);
        assertThat(chat("pictures", request(userMessage("Hello!")).put("max_tokens", 1))
                        .statusCode())
                .isEqualTo(200);
    }

    private void leaveAfterTheFirstText(String key, ObjectNode request) throws IOException {
        byte[] content = request.toString().getBytes(StandardCharsets.UTF_8);
        String head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Authorization: Bearer " + key + "\r\nContent-Length: " + content.length + "\r\n\r\n";
        try (Socket socket = new Socket("localhost", port)) {
            socket.setSoTimeout(Math.toIntExact(PATIENCE.toMillis()));
            OutputStream out = socket.getOutputStream();
            out.write(head.getBytes(StandardCharsets.US_ASCII));
            out.write(content);
            BufferedReader reader =
                    new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            String line = reader.readLine();
            assertThat(line).contains("200");
            while (line != null && !line.matches(".*\"content\":\"[^\"]+\".*")) {
                line = reader.readLine();
            }
            assertThat(line).isNotNull();
        }
    }

    private HttpResponse<String> chat(String key, ObjectNode body) {
        return send(request(key, "/v1/chat/completions")
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(body.toString()))
                .build());
    }

    private long remaining(String key, String limit) {
        return send(request(key, "/v1/models").GET().build())
                .headers()
                .firstValueAsLong("x-ratelimit-remaining-" + limit)
                .orElseThrow();
    }

    private HttpRequest.Builder request(String key, String path) {
        return HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
                .header("Authorization", "Bearer " + key)
                .timeout(PATIENCE);
    }

    private static HttpResponse<String> send(HttpRequest request) {
        return HTTP.sendAsync(request, BodyHandlers.ofString()).join();
    }
}
