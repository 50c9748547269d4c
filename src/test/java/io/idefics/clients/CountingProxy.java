package io.idefics.clients;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.IntConsumer;

/** Passes requests on to a server, one at a time, and counts them. */
final class CountingProxy implements AutoCloseable {

    /** Those that belong to one connection. */
    private static final Set<String> NOT_PASSED_ON =
            Set.of("connection", "content-length", "transfer-encoding", "host", "upgrade", "http2-settings", "expect");

    private final HttpClient client =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final List<Long> nanoTimes = new CopyOnWriteArrayList<>();
    private final String target;
    private final IntConsumer before;
    private final HttpServer server;

    /**
     * Makes a proxy.
     *
     * @param target the server's address, as in {@code http://localhost:8080}
     * @param before what happens before a request is passed on, given its number from 1
     */
    CountingProxy(String target, IntConsumer before) {
        this.target = target;
        this.before = before;
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.createContext("/", this::pass);
        server.start();
    }

    String url() {
        return "http://localhost:" + server.getAddress().getPort();
    }

    int requests() {
        return nanoTimes.size();
    }

    /** The time between the first two requests. */
    Duration firstPause() {
        return Duration.ofNanos(nanoTimes.get(1) - nanoTimes.get(0));
    }

    private void pass(HttpExchange exchange) throws IOException {
        try (exchange) {
            nanoTimes.add(System.nanoTime());
            before.accept(nanoTimes.size());
            HttpResponse<byte[]> response = client.sendAsync(request(exchange), BodyHandlers.ofByteArray())
                    .join();
            response.headers().map().forEach((name, values) -> {
                if (isPassedOn(name)) {
                    exchange.getResponseHeaders().put(name, values);
                }
            });
            exchange.sendResponseHeaders(response.statusCode(), response.body().length);
            exchange.getResponseBody().write(response.body());
        }
    }

    private HttpRequest request(HttpExchange exchange) throws IOException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(target + exchange.getRequestURI()))
                .method(
                        exchange.getRequestMethod(),
                        BodyPublishers.ofByteArray(exchange.getRequestBody().readAllBytes()));
        exchange.getRequestHeaders().forEach((name, values) -> {
            if (isPassedOn(name)) {
                for (String value : List.copyOf(values)) {
                    request.header(name, value);
                }
            }
        });
        return request.build();
    }

    private static boolean isPassedOn(String name) {
        return !NOT_PASSED_ON.contains(name.toLowerCase());
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
