package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.testing.SsrfCase;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.HttpHeaders;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;

/**
 * Every case gets its verdict with the settings as they are by default. Public addresses are found by a server on the
 * loopback, if they are dialled for http, and nowhere otherwise.
 */
class SsrfCasesTest {

    private static final String PARAM = "messages[0].content[0].image_url.url";
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final byte[] PICTURE = TestPictures.png(1, 1, 8, 2, new byte[4]);
    private static final String BOMB = "{GEN:bombs/png-30000x30000-1bit.png}";
    private static final Set<ErrorType> MISTAKES =
            Set.of(ErrorType.INVALID_IMAGE_URL, ErrorType.INVALID_IMAGE_FORMAT, ErrorType.IMAGE_TOO_LARGE);

    private final FakeNetwork network = new FakeNetwork(this::place).lookupTimeout(Duration.ofMillis(300));
    private final Queue<HttpHeaders> headers = new ConcurrentLinkedQueue<>();
    private final Queue<String> targets = new ConcurrentLinkedQueue<>();
    private final AtomicInteger requests = new AtomicInteger();

    private SsrfCase current;
    private DisposableServer server;

    @BeforeEach
    void start() {
        server = HttpServer.create()
                .host("127.0.0.9")
                .port(0)
                .handle(this::answer)
                .bindNow();
    }

    @AfterEach
    void stop() {
        server.disposeNow();
        network.close();
    }

    private InetSocketAddress place(InetSocketAddress wanted) {
        return wanted.getPort() == 80 ? new InetSocketAddress("127.0.0.9", server.port()) : null;
    }

    private Mono<Void> answer(HttpServerRequest request, HttpServerResponse response) {
        headers.add(request.requestHeaders().copy());
        targets.add(request.uri());
        int index = requests.getAndIncrement();
        if (current.dnsSeq() != null && current.server() == null) {
            response.withConnection(Connection::dispose); // so that it is tried again, with another lookup
            return Mono.never();
        }
        SsrfCase.Server script = current.server();
        boolean loops = script != null && current.url().equals(script.location());
        int hops = script == null || script.chain() == null ? 0 : script.chain().size();
        if (script == null || (index > hops && !loops)) {
            return picture(response);
        }
        response.status(script.status());
        if (script.header() != null) {
            String[] header = script.header().split(": ", 2);
            response.addHeader(header[0], header[1]);
        }
        if (index == 0 || loops) {
            List<String> locations = script.locations() != null
                    ? script.locations()
                    : Optional.ofNullable(script.location()).map(List::of).orElse(List.of());
            locations.forEach(location -> response.addHeader("Location", location));
        } else {
            response.addHeader("Location", script.chain().get(index - 1));
        }
        return script.status() == 200
                ? response.sendString(Mono.just("<html></html>")).then()
                : response.send();
    }

    private static Mono<Void> picture(HttpServerResponse response) {
        return response.send(Mono.just(Unpooled.wrappedBuffer(PICTURE))).then();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("io.idefics.testing.SsrfCase#all")
    void fetch_case_hasItsVerdict(SsrfCase ssrf) throws Exception {
        current = ssrf;
        if (ssrf.dns() != null) {
            ssrf.dns().forEach(this::announce);
        }
        if (ssrf.dnsSeq() != null) {
            ssrf.dnsSeq()
                    .forEach((name, answers) ->
                            answers.forEach(addresses -> network.then(name, addresses.toArray(String[]::new))));
        }
        String url = generated(ssrf.url());

        GenerationException refusal = fetch(url);

        if (refusal != null) {
            assertThat(refusal.type()).isIn(MISTAKES);
            assertThat(refusal.param()).isEqualTo(PARAM);
            assertThat(refusal.getMessage()).hasSizeLessThan(300).doesNotContain("Exception", "127.0.0.1", "10.0.0");
        }
        assertThat(network.dialled()).allMatch(dialled -> isPublic(dialled.getAddress(), ssrf));
        assertThat(network.dialled()).extracting(InetSocketAddress::getPort).isSubsetOf(80, 443);
        assertThat(network.lookups()).isLessThanOrEqualTo(Math.max(2, requests.get() + 1));
        if (ssrf.isEither()) {
            return;
        }
        if (!ssrf.isAllowed()) {
            assertThat(refusal).as("refusal").isNotNull();
            if (ssrf.dnsSeq() == null && ssrf.server() == null) {
                assertThat(network.dialled()).isEmpty();
            }
        } else if (url.startsWith("data:") || url.startsWith("DATA:")) {
            assertThat(refusal).isNull();
        } else if (network.dialled().stream().anyMatch(dialled -> dialled.getPort() != 80)) {
            assertThat(network.dialled())
                    .last()
                    .extracting(InetSocketAddress::getPort)
                    .isEqualTo(443);
        } else {
            assertThat(refusal).isNull();
            assertAskedFor(url);
        }
    }

    /** The bytes as they were written, and no header but our own. */
    private void assertAskedFor(String url) {
        if (current.server() == null) {
            String target = url.substring(url.indexOf('/', 7)).replaceAll("#.*", "");
            assertThat(targets).containsExactly(target);
        }
        assertThat(headers).isNotEmpty().allSatisfy(sent -> assertThat(sent.names())
                .extracting(String::toLowerCase)
                .containsExactlyInAnyOrder("host", "user-agent", "accept", "accept-encoding", "connection"));
    }

    private GenerationException fetch(String url) {
        ImageFetcher fetcher = new ImageFetcher(
                ImagePropertiesTest.bind(Map.of()), "1.2.3", new SimpleMeterRegistry(), network.network());
        ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), true, 1 << 20);
        try {
            fetcher.fetch(new ImageRef(url, PARAM))
                    .map(bytes -> decoder.decode(bytes, PARAM))
                    .block(PATIENCE);
            return null;
        } catch (GenerationException e) {
            return e;
        } finally {
            assertThat(fetcher.hostsInUse()).isZero();
        }
    }

    private void announce(String name, List<String> addresses) {
        if (addresses.contains("TIMEOUT")) {
            network.hang(name);
        } else {
            network.put(
                    name,
                    addresses.stream()
                            .filter(address -> !address.startsWith("CNAME"))
                            .toArray(String[]::new));
        }
    }

    /** Whether an address is one that the case tells as public. */
    private static boolean isPublic(InetAddress address, SsrfCase ssrf) {
        String text = address.getHostAddress();
        boolean isLiteral = ssrf.isAllowed() && ssrf.dns() == null && ssrf.dnsSeq() == null;
        return isLiteral || Set.of("93.184.216.34", "1.1.1.1").contains(text) || text.startsWith("2606:2800:");
    }

    /** A URL with what stands for something long or for this machine. */
    private static String generated(String url) throws SocketException {
        return url.replace("{GEN:a*9000}", "a".repeat(9000))
                .replace(
                        BOMB, Base64.getEncoder().encodeToString(TestPictures.png(30_000, 30_000, 1, 0, new byte[100])))
                .replace("{OWN-PUBLIC-IP}", ownAddress());
    }

    private static String ownAddress() throws SocketException {
        return NetworkInterface.networkInterfaces()
                .flatMap(NetworkInterface::inetAddresses)
                .filter(address -> address.getAddress().length == 4 && !address.isLoopbackAddress())
                .map(InetAddress::getHostAddress)
                .findFirst()
                .orElse("127.0.0.1");
    }
}
