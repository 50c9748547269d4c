package io.idefics.testing;

import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRoutes;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.TcpServer;

/** Serves pictures and what is none on a loopback address of its own; canaries listen beside it on others. */
public final class ImageHost implements AutoCloseable {

    /** Where the host listens: an address that nothing else uses, so that tests can allow it alone. */
    public static final String ADDRESS = "127.0.0.9";

    private static final int HUGE_BYTES = 21 << 20;

    private final AtomicInteger connections = new AtomicInteger();
    private final AtomicInteger canaryConnections = new AtomicInteger();
    /** Its own, as an application that is closed takes the shared ones with it. */
    private final LoopResources loops = LoopResources.create("image-host", 1, true);

    private final DisposableServer server;
    private final DisposableServer canary;
    private final DisposableServer canaryV6;
    private final Socket closed;

    public ImageHost() {
        server = HttpServer.create()
                .runOn(loops)
                .host(ADDRESS)
                .port(0)
                .doOnConnection(connection -> connections.incrementAndGet())
                .route(this::routes)
                .bindNow();
        canary = canary("127.0.0.1");
        canaryV6 = canary("::1");
        closed = new Socket();
        try {
            closed.bind(new InetSocketAddress(ADDRESS, 0)); // bound but not listening: connections are refused
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private DisposableServer canary(String address) {
        return TcpServer.create()
                .runOn(loops)
                .host(address)
                .port(server.port())
                .doOnConnection(connection -> canaryConnections.incrementAndGet())
                .bindNow();
    }

    private void routes(HttpServerRoutes routes) {
        routes.get("/images/{name}", (request, response) -> response.header("Content-Type", "image/png")
                .sendByteArray(Mono.fromSupplier(() -> MiniEvaluation.image("images/" + request.param("name")))));
        routes.get("/moved/{name}", (request, response) -> response.status(302)
                .header("Location", "/images/" + request.param("name"))
                .send());
        routes.get("/to-canary", (request, response) -> response.status(302)
                .header("Location", canaryUrl())
                .send());
        routes.get("/hang", (request, response) -> Mono.never());
        routes.get("/missing", (request, response) -> response.sendNotFound());
        routes.get("/page", (request, response) -> response.header("Content-Type", "image/png")
                .sendString(Mono.just("<!doctype html><html><body>Log in first.</body></html>")));
        byte[] piece = new byte[1 << 16];
        routes.get("/huge", (request, response) -> response.header("Content-Type", "image/png")
                .send(Flux.range(0, HUGE_BYTES / piece.length).map(i -> Unpooled.wrappedBuffer(piece))));
    }

    public int port() {
        return server.port();
    }

    /** A port on which nobody listens. */
    public int closedPort() {
        return closed.getLocalPort();
    }

    /** The URL of a path: {@code images/} or {@code moved/} and a picture of the evaluation set, or a fault. */
    public String url(String path) {
        return "http://" + ADDRESS + ":" + port() + "/" + path;
    }

    public String closedUrl() {
        return "http://" + ADDRESS + ":" + closedPort() + "/picture.png";
    }

    /** The URL of a listener that no picture may be fetched from. */
    public String canaryUrl() {
        return "http://127.0.0.1:" + port() + "/secret.png";
    }

    /** How many connections this host has seen. */
    public int connections() {
        return connections.get();
    }

    /** How many connections the forbidden listener has seen. */
    public int canaryConnections() {
        return canaryConnections.get();
    }

    @Override
    public void close() throws IOException {
        server.disposeNow();
        canary.disposeNow();
        canaryV6.disposeNow();
        closed.close();
        loops.dispose();
    }
}
