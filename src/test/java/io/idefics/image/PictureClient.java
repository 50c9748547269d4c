package io.idefics.image;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Base64;

/** Sends pictures to a running service, each as a data URL of a chat that asks for one token. */
final class PictureClient {

    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(10))
            .build();
    private final URI chat;

    /** @param service its base URL, as in {@code http://127.0.0.1:8080} */
    PictureClient(String service) {
        this.chat = URI.create(service + "/v1/chat/completions");
    }

    /** The status that a picture gets. */
    HttpResponse<String> send(byte[] picture) throws IOException, InterruptedException {
        String body =
                "{\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
                        + "{\"url\":\"data:image/png;base64,"
                        + Base64.getEncoder().encodeToString(picture) + "\"}}]}]}";
        HttpRequest request = HttpRequest.newBuilder(chat)
                .timeout(Duration.ofSeconds(60))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        return client.send(request, HttpResponse.BodyHandlers.ofString());
    }
}
