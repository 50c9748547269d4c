package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.management.UnixOperatingSystemMXBean;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.HttpHeaders;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRoutes;
import reactor.netty.tcp.TcpServer;
import reactor.test.StepVerifier;

/**
 * Fetching from a server on 127.0.0.9, which stands for the public network; 127.0.0.1 stays forbidden, and a canary
 * there counts connections.
 */
class ImageFetcherTest {

    private static final String FAILED =
            "the image could not be fetched: its host is unknown, not reachable, too slow, or does not give it";

    private static final String PUBLIC = "127.0.0.9";
    private static final String PARAM = "messages[0].content[1].image_url.url";
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final AtomicInteger canaryConnections = new AtomicInteger();
    private final AtomicInteger requests = new AtomicInteger();
    private final LinkedBlockingQueue<HttpHeaders> seenHeaders = new LinkedBlockingQueue<>();
    private final CountDownLatch connectionClosed = new CountDownLatch(1);
    private final Sinks.Empty<Void> release = Sinks.empty();
    private final FakeNetwork names = new FakeNetwork();
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();

    private DisposableServer server;
    private DisposableServer canary;

    @BeforeEach
    void start() {
        server = HttpServer.create()
                .host(PUBLIC)
                .port(0)
                .doOnConnection(connection -> connection.onDispose(connectionClosed::countDown))
                .route(this::routes)
                .bindNow();
        canary = TcpServer.create()
                .host("127.0.0.1")
                .port(server.port())
                .doOnConnection(connection -> canaryConnections.incrementAndGet())
                .bindNow();
    }

    @AfterEach
    void stop() {
        server.disposeNow();
        canary.disposeNow();
        names.close();
    }

    private void routes(HttpServerRoutes routes) {
        routes.get("/ok", (request, response) -> {
            requests.incrementAndGet();
            seenHeaders.add(request.requestHeaders().copy());
            return response.sendString(Mono.just("picture"));
        });
        for (int status : new int[] {204, 206, 404, 500, 503}) {
            routes.get(
                    "/" + status, (request, response) -> response.status(status).send());
        }
        routes.get("/html", (request, response) -> response.header("Content-Type", "text/html")
                .sendString(Mono.just("<html><body>no</body></html>")));
        routes.get("/announced", (request, response) -> response.header("Content-Length", "1001")
                .sendString(Flux.just("x").concatWith(Flux.never())));
        routes.get(
                "/endless",
                (request, response) ->
                        response.sendString(Flux.range(0, Integer.MAX_VALUE).map(i -> "0123456789")));
        routes.get("/limit", (request, response) -> response.sendString(Flux.just("x".repeat(400), "y".repeat(600))));
        routes.get("/hang", (request, response) -> Mono.never());
        routes.get(
                "/drip",
                (request, response) -> response.send(
                        Flux.interval(Duration.ofMillis(20)).map(i -> Unpooled.wrappedBuffer(new byte[] {'x'})),
                        drop -> true));
        routes.get("/wait", (request, response) -> {
            requests.incrementAndGet();
            return release.asMono().then(response.sendString(Mono.just("late")).then());
        });
        routes.get("/gzip", (request, response) -> response.header("Content-Encoding", "gzip")
                .sendString(Mono.just("picture")));
        routes.get("/loop", (request, response) -> redirect(response, "/loop?" + requests.incrementAndGet()));
        routes.get("/relative", (request, response) -> redirect(response, "ok"));
        routes.get("/dir/up", (request, response) -> redirect(response, "/relative"));
        routes.get(
                "/canary", (request, response) -> redirect(response, "http://127.0.0.1:" + server.port() + "/secret"));
        routes.get(
                "/canary-name",
                (request, response) -> redirect(response, "http://private.test:" + server.port() + "/secret"));
        routes.get("/file", (request, response) -> redirect(response, "file:///etc/passwd"));
        routes.get("/port", (request, response) -> redirect(response, "http://" + PUBLIC + ":6379/"));
        routes.get("/nowhere", (request, response) -> response.status(302).send());
        routes.get("/two", (request, response) -> response.status(302)
                .addHeader("Location", "/ok")
                .addHeader("Location", "/relative")
                .send());
        routes.get("/not-modified", (request, response) -> response.status(305)
                .header("Location", "/ok")
                .send());
        routes.get("/endless-redirect", (request, response) -> response.status(302)
                .header("Location", "/ok")
                .sendString(Flux.range(0, Integer.MAX_VALUE).map(i -> "0123456789")));
    }

    private static Mono<Void> redirect(reactor.netty.http.server.HttpServerResponse response, String location) {
        return response.status(302).header("Location", location).send();
    }

    @Test
    void fetch_picture_isItsBytes() {
        StepVerifier.create(fetcher().fetch(ref(url("/ok"))))
                .assertNext(bytes -> assertThat(bytes).asString().isEqualTo("picture"))
                .expectComplete()
                .verify(PATIENCE);
    }

    @Test
    void fetch_anyUrl_sendsOwnHeadersOnly() throws InterruptedException {
        fetcher().fetch(ref(url("/ok"))).block(PATIENCE);

        HttpHeaders headers = seenHeaders.poll(10, TimeUnit.SECONDS);
        assertThat(headers).isNotNull();
        assertThat(headers.names().stream().map(String::toLowerCase))
                .containsExactlyInAnyOrder("host", "user-agent", "accept", "accept-encoding", "connection");
        assertThat(headers.get("User-Agent")).isEqualTo("idefics-server/1.2.3");
        assertThat(headers.get("Accept-Encoding")).isEqualTo("identity");
        assertThat(headers.get("Connection")).isEqualTo("close");
    }

    @ParameterizedTest
    @ValueSource(ints = {204, 206, 404, 500, 503})
    void fetch_otherStatus_isRefused(int status) {
        assertRefused("/" + status, ErrorType.INVALID_IMAGE_URL, FAILED);
    }

    @Test
    void fetch_html_isRefusedByTheDecoder() {
        ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), true, 1 << 20);

        StepVerifier.create(fetcher().fetch(ref(url("/html"))).map(bytes -> decoder.decode(bytes, PARAM)))
                .expectErrorSatisfies(error -> assertError(
                        error,
                        ErrorType.INVALID_IMAGE_FORMAT,
                        "a PNG, JPEG, GIF, WebP, BMP or TIFF picture is needed; this looks like HTML"))
                .verify(PATIENCE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/announced", "/endless"})
    void fetch_tooManyBytes_stopsAtTheLimit(String path) throws InterruptedException {
        assertRefused(path, ErrorType.IMAGE_TOO_LARGE, "the image is larger than the limit of 1000 bytes");

        assertThat(connectionClosed.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void fetch_asManyBytesAsAllowed_isFetched() {
        assertThat(fetcher().fetch(ref(url("/limit"))).block(PATIENCE)).hasSize(1000);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/hang", "/drip"})
    void fetch_slowServer_timesOutAsAWhole(String path) throws InterruptedException {
        ImageFetcher fetcher = fetcher("fetch-timeout", "300ms");

        StepVerifier.create(fetcher.fetch(ref(url(path))))
                .expectErrorSatisfies(error -> assertError(error, ErrorType.INVALID_IMAGE_URL, FAILED))
                .verify(PATIENCE);
        assertThat(connectionClosed.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(fetcher.freeSlots()).isEqualTo(32);
    }

    @Test
    void fetch_contentEncoding_isRefused() {
        assertRefused("/gzip", ErrorType.INVALID_IMAGE_URL, FAILED);
    }

    @Test
    void fetch_redirects_areFollowed() {
        assertThat(fetcher().fetch(ref(url("/dir/up"))).block(PATIENCE))
                .asString()
                .isEqualTo("picture");
    }

    @Test
    void fetch_redirectWithEndlessBody_isFollowedWithoutReadingIt() throws InterruptedException {
        assertThat(fetcher().fetch(ref(url("/endless-redirect"))).block(PATIENCE))
                .asString()
                .isEqualTo("picture");

        assertThat(connectionClosed.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void fetch_redirectLoop_stopsAfterThree() {
        assertRefused("/loop", ErrorType.INVALID_IMAGE_URL, FAILED);

        assertThat(requests).hasValue(4);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/canary", "/canary-name", "/file", "/nowhere", "/two", "/not-modified", "/port"})
    void fetch_badRedirect_isRefusedWithoutTellingWhy(String path) {
        names.put("private.test", "127.0.0.1");

        assertRefused(path, ErrorType.INVALID_IMAGE_URL, FAILED);

        assertThat(canaryConnections).hasValue(0);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]", "[::ffff:7f00:1]", "[::7f00:1]", "10.0.0.1"
            })
    void fetch_forbiddenAddress_isNotDialled(String host) {
        StepVerifier.create(fetcher().fetch(ref("http://" + host + ":" + server.port() + "/ok")))
                .expectErrorSatisfies(error ->
                        assertError(error, ErrorType.INVALID_IMAGE_URL, "the address of the image URL is not allowed"))
                .verify(PATIENCE);

        assertThat(canaryConnections).hasValue(0);
    }

    @Test
    void fetch_forbiddenAddressIfExcepted_reachesTheCanary() {
        ImageFetcher fetcher = fetcher("allowed-addresses", "127.0.0.1/32");

        StepVerifier.create(fetcher.fetch(ref("http://127.0.0.1:" + server.port() + "/ok")))
                .then(() -> awaitCanary())
                .thenCancel()
                .verify(PATIENCE);
    }

    @Test
    void fetch_nameOfAnAllowedAddress_dialsItWithTheName() throws InterruptedException {
        names.put("good.test", PUBLIC);

        byte[] bytes = fetcher()
                .fetch(ref("http://good.test:" + server.port() + "/ok"))
                .block(PATIENCE);

        assertThat(bytes).asString().isEqualTo("picture");
        assertThat(seenHeaders.poll(10, TimeUnit.SECONDS).get("Host")).isEqualTo("good.test:" + server.port());
        assertThat(names.lookups()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource({"127.0.0.1", "'127.0.0.9,127.0.0.1'", "'127.0.0.1,127.0.0.9'", "169.254.169.254", "::1"})
    void fetch_nameWithAForbiddenAddress_isNotDialled(String addresses) {
        names.put("evil.test", addresses.split(","));

        StepVerifier.create(fetcher().fetch(ref("http://evil.test:" + server.port() + "/ok")))
                .expectErrorSatisfies(error -> assertError(error, ErrorType.INVALID_IMAGE_URL, FAILED))
                .verify(PATIENCE);
        assertThat(canaryConnections).hasValue(0);
        assertThat(requests).hasValue(0);
    }

    @Test
    void fetch_nameThatChangesAtARedirect_isJudgedAnew() {
        names.put("rebind.test", PUBLIC);
        names.then("rebind.test", "127.0.0.1");

        StepVerifier.create(fetcher().fetch(ref("http://rebind.test:" + server.port() + "/relative")))
                .expectErrorSatisfies(error -> assertError(error, ErrorType.INVALID_IMAGE_URL, FAILED))
                .verify(PATIENCE);

        assertThat(names.lookups()).isEqualTo(2);
        assertThat(canaryConnections).hasValue(0);
    }

    @Test
    void fetch_nameThatChangesAtTheSecondTry_isJudgedAnew() {
        names.put("rebind.test", PUBLIC);
        names.then("rebind.test", "127.0.0.1");

        StepVerifier.create(fetcher().fetch(ref("http://rebind.test:" + server.port() + "/503")))
                .expectErrorSatisfies(error -> assertError(error, ErrorType.INVALID_IMAGE_URL, FAILED))
                .verify(PATIENCE);

        assertThat(names.lookups()).isEqualTo(2);
        assertThat(canaryConnections).hasValue(0);
    }

    @Test
    void fetch_trustedName_mayBeAtAPrivateAddressAndAPortOfItsOwn() {
        names.put("minio", PUBLIC);
        ImageFetcher fetcher =
                fetcher("allowed-addresses", "", "allowed-ports", "80,443", "trusted-hosts", "minio:" + server.port());

        assertThat(fetcher.fetch(ref("http://minio:" + server.port() + "/ok")).block(PATIENCE))
                .asString()
                .isEqualTo("picture");
        assertThat(fetcher.fetch(ref("http://minio:" + server.port() + "/dir/up"))
                        .block(PATIENCE))
                .asString()
                .isEqualTo("picture");
        StepVerifier.create(fetcher.fetch(ref("http://minio:" + server.port() + "/canary")))
                .expectErrorSatisfies(error -> assertError(error, ErrorType.INVALID_IMAGE_URL, FAILED))
                .verify(PATIENCE);
        assertThat(canaryConnections).hasValue(0);
    }

    @Test
    void fetch_unknownName_tellsNothingMore() {
        StepVerifier.create(fetcher().fetch(ref("http://unknown.test:" + server.port() + "/ok")))
                .expectErrorSatisfies(error -> assertError(error, ErrorType.INVALID_IMAGE_URL, FAILED))
                .verify(PATIENCE);
    }

    @Test
    void fetch_refusedConnection_tellsNothingMore() throws IOException {
        int closedPort;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName(PUBLIC))) {
            closedPort = socket.getLocalPort();
        }
        ImageFetcher fetcher = fetcher("allowed-ports", String.valueOf(closedPort));

        StepVerifier.create(fetcher.fetch(ref("http://" + PUBLIC + ":" + closedPort + "/ok")))
                .expectErrorSatisfies(error -> assertError(error, ErrorType.INVALID_IMAGE_URL, FAILED))
                .verify(PATIENCE);
    }

    @ParameterizedTest
    @CsvSource({
        "HTTP/1.1 200 OK|Content-Length: 100||short",
        "SSH-2.0-OpenSSH_9.2|",
        "HTTP/1.1 200 OK|Content-Length: -5||x",
        "HTTP/1.1 200 OK|Content-Length: 5|Content-Length: 7||12345",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||zz|x",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|12"
    })
    void fetch_brokenReply_isRefused(String reply) {
        DisposableServer broken = TcpServer.create()
                .host(PUBLIC)
                .port(0)
                .handle((in, out) -> out.sendString(Mono.just(reply.replace("|", "\r\n"))))
                .bindNow();
        try {
            ImageFetcher fetcher = fetcher("allowed-ports", String.valueOf(broken.port()));

            StepVerifier.create(fetcher.fetch(ref("http://" + PUBLIC + ":" + broken.port() + "/")))
                    .expectErrorSatisfies(error -> assertError(error, ErrorType.INVALID_IMAGE_URL, FAILED))
                    .verify(PATIENCE);
        } finally {
            broken.disposeNow();
        }
    }

    @Test
    void fetch_hostsLimited_refusesOthers() {
        names.put("a.good.test", PUBLIC);
        names.put("other.test", PUBLIC);
        ImageFetcher fetcher = fetcher("allowed-hosts", "*.good.test");

        assertThat(fetcher.fetch(ref("http://a.good.test:" + server.port() + "/ok"))
                        .block(PATIENCE))
                .hasSize(7);
        StepVerifier.create(fetcher.fetch(ref("http://other.test:" + server.port() + "/ok")))
                .expectErrorSatisfies(error ->
                        assertError(error, ErrorType.INVALID_IMAGE_URL, "the host of the image URL is not allowed"))
                .verify(PATIENCE);
    }

    @Test
    void fetch_switchedOff_decodesDataUrlsOnly() {
        ImageFetcher fetcher = fetcher("http-enabled", "false");

        StepVerifier.create(fetcher.fetch(ref(url("/ok"))))
                .expectErrorSatisfies(error -> assertError(
                        error,
                        ErrorType.INVALID_IMAGE_URL,
                        "image URLs are not fetched by this service; only data: URLs are"))
                .verify(PATIENCE);
        assertThat(fetcher.fetch(ref("data:image/png;base64,aGVsbG8=")).block(PATIENCE))
                .asString()
                .isEqualTo("hello");
        assertThat(requests).hasValue(0);
    }

    @Test
    void fetch_dataUrlBeyondTheLimit_isRefused() {
        StepVerifier.create(fetcher().fetch(ref("data:image/png;base64," + "AAAA".repeat(334))))
                .expectErrorSatisfies(error ->
                        assertError(error, ErrorType.IMAGE_TOO_LARGE, "the image has 1002 bytes; the limit is 1000"))
                .verify(PATIENCE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ftp://good.test/a", "http://user@good.test/a", "http://2130706433/", "nonsense"})
    void fetch_badUrl_isRefusedWithoutLookup(String url) {
        StepVerifier.create(fetcher().fetch(ref(url)))
                .expectErrorSatisfies(error ->
                        assertThat(((GenerationException) error).type()).isEqualTo(ErrorType.INVALID_IMAGE_URL))
                .verify(PATIENCE);
        assertThat(names.lookups()).isZero();
    }

    @Test
    void fetch_allSlotsTaken_waitsForOne() {
        ImageFetcher fetcher = fetcher("max-concurrent-fetches", "1");
        List<String> order = new ArrayList<>();

        StepVerifier.create(Flux.merge(
                        fetcher.fetch(ref(url("/wait"))).map(bytes -> new String(bytes, StandardCharsets.UTF_8)),
                        fetcher.fetch(ref(url("/ok"))).map(bytes -> new String(bytes, StandardCharsets.UTF_8))))
                .then(() -> {
                    awaitRequests(1);
                    assertThat(fetcher.freeSlots()).isZero();
                    release.tryEmitEmpty();
                })
                .recordWith(() -> order)
                .expectNextCount(2)
                .expectComplete()
                .verify(PATIENCE);

        assertThat(order).containsExactly("late", "picture");
        assertThat(fetcher.freeSlots()).isEqualTo(1);
    }

    @Test
    void fetch_noSlotInTime_isOverloaded() {
        ImageFetcher fetcher = fetcher("max-concurrent-fetches", "1", "fetch-timeout", "300ms");
        ImageRef hanging = ref(url("/hang"));

        StepVerifier.create(
                        Flux.mergeDelayError(3, fetcher.fetch(hanging), fetcher.fetch(hanging), fetcher.fetch(hanging))
                                .onErrorMap(error -> reactor.core.Exceptions.unwrapMultiple(error).stream()
                                        .filter(e -> ((GenerationException) e).type() == ErrorType.OVERLOADED)
                                        .findFirst()
                                        .orElse(error)))
                .expectErrorSatisfies(
                        error -> assertError(error, ErrorType.OVERLOADED, "too many images are being fetched"))
                .verify(PATIENCE);
        assertThat(fetcher.freeSlots()).isEqualTo(1);
    }

    @Test
    void fetch_cancelled_closesItsConnectionAndFreesItsSlot() throws InterruptedException {
        ImageFetcher fetcher = fetcher("max-concurrent-fetches", "1");

        StepVerifier.create(fetcher.fetch(ref(url("/wait"))))
                .then(() -> awaitRequests(1))
                .thenCancel()
                .verify(PATIENCE);

        assertThat(connectionClosed.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(fetcher.freeSlots()).isEqualTo(1);
    }

    private void awaitRequests(int count) {
        while (requests.get() < count) {
            Thread.onSpinWait();
        }
    }

    private void awaitCanary() {
        while (canaryConnections.get() == 0) {
            Thread.onSpinWait();
        }
    }

    @Test
    void fetch_forbiddenAddresses_leaveNoSocketsOpen() {
        ImageFetcher fetcher = fetcher();
        long before = openFiles();

        Flux.range(0, 200)
                .flatMap(i -> fetcher.fetch(ref("http://127.0.0.1:" + server.port() + "/secret"))
                        .onErrorComplete())
                .blockLast(PATIENCE);

        await().atMost(PATIENCE).untilAsserted(() -> assertThat(openFiles()).isLessThan(before + 100));
    }

    /** The files and sockets that this process has open, where the system tells. */
    private static long openFiles() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean unix
                ? unix.getOpenFileDescriptorCount()
                : 0;
    }

    private void assertRefused(String path, ErrorType type, String message) {
        StepVerifier.create(fetcher().fetch(ref(url(path))))
                .expectErrorSatisfies(error -> assertError(error, type, message))
                .verify(PATIENCE);
    }

    private static void assertError(Throwable error, ErrorType type, String message) {
        assertThat(error).isInstanceOf(GenerationException.class).hasMessage(message);
        assertThat(((GenerationException) error).type()).isEqualTo(type);
        assertThat(((GenerationException) error).param()).isEqualTo(PARAM);
    }

    private ImageFetcher fetcher(String... keysAndValues) {
        Map<String, String> values = new HashMap<>();
        values.put("idefics.image.max-bytes", "1000B");
        values.put("idefics.image.allowed-addresses", PUBLIC + "/32");
        values.put("idefics.image.allowed-ports", String.valueOf(server.port()));
        for (int i = 0; i < keysAndValues.length; i += 2) {
            values.put("idefics.image." + keysAndValues[i], keysAndValues[i + 1]);
        }
        return new ImageFetcher(ImagePropertiesTest.bind(values), "1.2.3", meters, names.network());
    }

    private String url(String path) {
        return "http://" + PUBLIC + ":" + server.port() + path;
    }

    private static ImageRef ref(String url) {
        return new ImageRef(url, PARAM);
    }
}
