package io.idefics.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpResponse.BodySubscribers;
import java.net.http.HttpResponse.ResponseInfo;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/** A server with an OpenAI-style chat endpoint, of which only standard fields are used unless a workload asks for more. */
final class HttpTarget implements Target {

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration LIST_TIMEOUT = Duration.ofSeconds(30);

    static {
        // A connection that the server closes while it is idle fails the next request; some close after 5 s.
        if (System.getProperty("jdk.httpclient.keepalive.timeout") == null) {
            System.setProperty("jdk.httpclient.keepalive.timeout", "3");
        }
    }

    private final ObjectMapper json = new ObjectMapper();
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT_TIMEOUT)
            .build();
    private final String base;
    private final @Nullable String apiKey;
    private final Workload workload;
    private final String model;

    /**
     * Finds out the model.
     *
     * @param url the root of the API, as in {@code http://localhost:8080/v1}
     * @param apiKey sent as bearer token; null for none
     * @param model null asks for the first of the list of models
     * @throws TargetException if there is no list, or nothing in it
     */
    HttpTarget(URI url, @Nullable String apiKey, @Nullable String model, Workload workload) {
        this.base = url.toString().replaceAll("/+$", "");
        this.apiKey = apiKey;
        this.workload = workload;
        this.model = model == null ? firstModel() : model;
    }

    @Override
    public String name() {
        return base;
    }

    @Override
    public String model() {
        return model;
    }

    @Override
    public Call prepare(List<Message> messages) {
        HttpRequest request = request("/chat/completions")
                .header("Content-Type", "application/json")
                .header("Accept", "text/event-stream")
                .POST(BodyPublishers.ofByteArray(body(messages)))
                .build();
        return listener -> send(request, listener);
    }

    @Override
    public void close() {
        // The client's threads are daemons and end with it.
    }

    private Runnable send(HttpRequest request, AnswerListener listener) {
        CompletableFuture<HttpResponse<String>> response = client.sendAsync(request, answer(listener));
        CompletableFuture<?> heard = response.whenComplete((reply, error) -> {
            if (error != null) {
                Throwable cause =
                        error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
                listener.failed(
                        cause instanceof ConnectException ? "connect" : "connection",
                        cause.getMessage() == null ? cause.toString() : cause.getMessage());
            } else if (reply.statusCode() != 200) {
                listener.failed(Integer.toString(reply.statusCode()), message(reply.body()));
            } else if (!isEventStream(reply.headers().firstValue("content-type").orElse(""))) {
                listener.failed("no stream", "the answer is not an event stream: " + reply.body());
            }
        });
        return () -> {
            heard.cancel(true);
            response.cancel(true);
        };
    }

    /** An event stream goes to the listener line by line; any other answer becomes the body of the response. */
    private BodyHandler<String> answer(AnswerListener listener) {
        return (ResponseInfo info) -> {
            boolean stream = info.statusCode() == 200
                    && isEventStream(info.headers().firstValue("content-type").orElse(""));
            return stream
                    ? BodySubscribers.fromLineSubscriber(
                            new ChatStreamReader(json, listener), reader -> "", StandardCharsets.UTF_8, null)
                    : BodySubscribers.ofString(StandardCharsets.UTF_8);
        };
    }

    private static boolean isEventStream(String contentType) {
        return contentType.toLowerCase(Locale.ROOT).startsWith("text/event-stream");
    }

    private String message(String body) {
        try {
            return ChatStreamReader.message(json.readTree(body));
        } catch (JsonProcessingException e) {
            return body;
        }
    }

    private byte[] body(List<Message> messages) {
        ObjectNode body = json.createObjectNode()
                .put("model", model)
                .put("stream", true)
                .put("temperature", workload.temperature())
                .put("max_tokens", workload.maxTokens());
        body.putObject("stream_options").put("include_usage", true);
        if (workload.temperature() > 0) {
            body.put("seed", workload.seed());
        }
        if (workload.minTokens() != null) {
            body.put("min_tokens", workload.minTokens());
        }
        ArrayNode list = body.putArray("messages");
        for (Message message : messages) {
            ObjectNode node = list.addObject().put("role", message.role().name().toLowerCase(Locale.ROOT));
            content(node, message.content());
        }
        try {
            return json.writeValueAsBytes(body);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of JSON can always be written", e);
        }
    }

    /** Text alone is a plain string, which every server takes; with pictures it is an array of parts. */
    private static void content(ObjectNode message, List<ContentPart> parts) {
        if (parts.size() == 1 && parts.get(0) instanceof ContentPart.Text text) {
            message.put("content", text.text());
            return;
        }
        ArrayNode content = message.putArray("content");
        for (ContentPart part : parts) {
            if (part instanceof ContentPart.Text text) {
                content.addObject().put("type", "text").put("text", text.text());
            } else if (part instanceof ContentPart.ImageRef image) {
                content.addObject()
                        .put("type", "image_url")
                        .putObject("image_url")
                        .put("url", image.url());
            }
        }
    }

    private String firstModel() {
        String url = base + "/models";
        try {
            HttpResponse<String> response =
                    client.send(request("/models").timeout(LIST_TIMEOUT).build(), BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                throw new TargetException("GET " + url + " answered " + response.statusCode()
                        + "; the URL of an OpenAI-style server mostly ends with /v1. It said: "
                        + message(response.body()));
            }
            JsonNode id = json.readTree(response.body()).at("/data/0/id");
            if (!id.isTextual()) {
                throw new TargetException("GET " + url + " lists no model; is the model still loading?");
            }
            return id.textValue();
        } catch (IOException e) {
            throw new TargetException("GET " + url + " failed: " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new TargetException("GET " + url + " was interrupted", e);
        }
    }

    private HttpRequest.Builder request(String path) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + path));
        if (apiKey != null) {
            request.header("Authorization", "Bearer " + apiKey);
        }
        return request;
    }
}
