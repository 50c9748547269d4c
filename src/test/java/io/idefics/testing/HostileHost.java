package io.idefics.testing;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.HttpHeaderNames;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRoutes;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.TcpServer;

/** An image host that does its worst, on a loopback address of its own; a canary listens beside it on another one. */
public final class HostileHost implements AutoCloseable {

    /** Where the host listens: an address that nothing else uses, so that it alone can be allowed. */
    public static final String ADDRESS = "127.0.0.9";

    /** Where the canary listens, on the same port. */
    public static final String CANARY = "127.0.0.1";

    private static final byte[] PIECE = new byte[1 << 16];

    private final AtomicInteger canaryConnections = new AtomicInteger();
    private final LoopResources loops = LoopResources.create("hostile-host", 1, true);
    private final DisposableServer server;
    private final DisposableServer canary;

    public HostileHost() {
        server = HttpServer.create()
                .runOn(loops)
                .host(ADDRESS)
                .port(0)
                .route(this::routes)
                .bindNow();
        canary = TcpServer.create()
                .runOn(loops)
                .host(CANARY)
                .port(server.port())
                .doOnConnection(connection -> canaryConnections.incrementAndGet())
                .bindNow();
    }

    private void routes(HttpServerRoutes routes) {
        routes.get("/hang", (request, response) -> Mono.never());
        routes.get("/drip", (request, response) -> response.header("Content-Type", "image/png")
                .send(
                        Flux.interval(Duration.ofSeconds(1))
                                .map(tick -> Unpooled.wrappedBuffer(new byte[] {(byte) 0x89})),
                        piece -> true));
        routes.get("/endless", (request, response) -> response.header("Content-Type", "image/png")
                .send(Flux.generate(sink -> sink.next(Unpooled.wrappedBuffer(PIECE)))));
        routes.get("/gzip", (request, response) -> response.header("Content-Type", "image/png")
                .header(HttpHeaderNames.CONTENT_ENCODING, "gzip")
                .send(Flux.generate(sink -> sink.next(Unpooled.wrappedBuffer(PIECE)))));
        routes.get("/to-metadata", (request, response) -> response.status(302)
                .header(HttpHeaderNames.LOCATION, "http://169.254.169.254/latest/meta-data/")
                .send());
        routes.get("/to-canary", (request, response) -> response.status(302)
                .header(HttpHeaderNames.LOCATION, "http://" + CANARY + ":" + port() + "/secret.png")
                .send());
        routes.get("/to-itself", (request, response) -> response.status(302)
                .header(HttpHeaderNames.LOCATION, "/to-itself")
                .send());
    }

    public int port() {
        return server.port();
    }

    /** How many connections the canary has seen, of which there should be none. */
    public int canaryConnections() {
        return canaryConnections.get();
    }

    @Override
    public void close() {
        server.disposeNow();
        canary.disposeNow();
        loops.dispose();
    }
}
