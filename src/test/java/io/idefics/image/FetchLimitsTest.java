package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.testing.HostileImageHost;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;

/** What one client, one request and one host may take, and what is remembered of hosts. */
class FetchLimitsTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final byte[] PICTURE = new byte[600];

    private final HostileImageHost hostile = new HostileImageHost(PICTURE);
    private final FakeNetwork network =
            new FakeNetwork(wanted -> new InetSocketAddress(HostileImageHost.ADDRESS, hostile.port()));
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final List<Disposable> running = new ArrayList<>();

    @AfterEach
    void stop() throws IOException {
        running.forEach(Disposable::dispose);
        hostile.close();
        network.close();
    }

    @Test
    void fetch_hostWithoutSlots_waitsWhileOthersGoOn() {
        ImageFetcher fetcher = fetcher("max-concurrent-fetches-per-host", "2", "first-byte-timeout", "10s");
        IntStream.range(0, 5)
                .forEach(i ->
                        running.add(fetcher.fetch(ref("a.test", "hang-accept")).subscribe(bytes -> {}, error -> {})));
        await().atMost(PATIENCE).until(() -> hostile.requests("hang-accept") == 2);

        assertThat(fetcher.fetch(ref("b.test", "ok")).block(PATIENCE)).isEqualTo(PICTURE);

        assertThat(hostile.requests("hang-accept")).isEqualTo(2);
        assertThat(fetcher.freeSlots()).isEqualTo(30);
        assertThat(fetcher.hostsInUse()).isEqualTo(1);
        running.get(0).dispose();
        await().atMost(PATIENCE).until(() -> hostile.requests("hang-accept") == 3);
        running.forEach(Disposable::dispose);
        await().atMost(PATIENCE).until(() -> fetcher.freeSlots() == 32 && fetcher.hostsInUse() == 0);
    }

    @Test
    void fetch_manyHosts_leaveNothingBehind() {
        ImageFetcher fetcher = fetcher();

        for (int i = 0; i < 50; i++) {
            fetcher.fetch(ref("host" + i + ".test", "ok")).block(PATIENCE);
        }

        assertThat(fetcher.hostsInUse()).isZero();
        assertThat(meters.getMeters()).hasSizeLessThan(20);
    }

    @Test
    void fetch_hostThatFails_isLeftAloneAndOthersAreNot() {
        ImageFetcher fetcher = fetcher();
        for (int i = 0; i < 5; i++) {
            assertThat(outcome(fetcher, "a.test", "500")).isEqualTo("HTTP status 500");
        }

        assertThat(outcome(fetcher, "a.test", "ok")).isEqualTo("the host failed too often");
        assertThat(outcome(fetcher, "b.test", "ok")).isEmpty();
        assertThat(hostile.requests("500")).isEqualTo(5);
        assertThat(count("status")).isEqualTo(5);
        assertThat(count("circuit_open")).isEqualTo(1);
        assertThat(count("ok")).isEqualTo(1);
    }

    @Test
    void fetch_mistakesOfClients_doNotCountAgainstTheHost() {
        ImageFetcher fetcher = fetcher("max-bytes", "500B");
        for (int i = 0; i < 10; i++) {
            assertThat(outcome(fetcher, "a.test", "404")).isEqualTo("HTTP status 404");
            assertThat(outcome(fetcher, "a.test", "ok")).contains("larger than the limit of 500 bytes");
            assertThat(outcome(fetcher, "a.test", "redirect-metadata")).startsWith("redirected where it must not go");
            assertThat(outcome(fetcher, "a.test", "brotli")).contains("content encoding");
        }

        assertThat(outcome(fetcher, "a.test", "404")).isEqualTo("HTTP status 404");
    }

    @Test
    void fetch_brokenOnce_isFetchedAtTheSecondTry() {
        assertThat(fetcher().fetch(ref("a.test", "once-broken")).block(PATIENCE))
                .isEqualTo(PICTURE);

        assertThat(hostile.requests("once-broken")).isEqualTo(2);
        assertThat(network.lookups()).as("a new one for the second try").isEqualTo(2);
    }

    @Test
    void fetch_unavailable_isTriedTwiceAndNotMore() {
        assertThat(outcome(fetcher(), "a.test", "503")).isEqualTo("HTTP status 503");

        assertThat(hostile.requests("503")).isEqualTo(2);
        assertThat(count("status")).isEqualTo(1);
    }

    @Test
    void fetch_noAnswer_endsLongBeforeTheWholeTime() {
        ImageFetcher fetcher = fetcher("first-byte-timeout", "200ms", "fetch-timeout", "1h");

        assertThat(outcome(fetcher, "a.test", "hang-headers")).isEqualTo("no answer in time");
        assertThat(outcome(fetcher, "a.test", "drip-headers")).isEqualTo("no answer in time");
        assertThat(count("timeout")).isEqualTo(2);
        await().atMost(PATIENCE).until(() -> hostile.openConnections() == 0);
    }

    @Test
    void fetch_morePicturesThanOneRequestMayHave_isRefused() {
        ImageFetcher fetcher = fetcher("max-request-bytes", "1500B");
        FetchBudget budget = fetcher.budget("client");

        fetcher.fetch(ref("a.test", "ok"), budget).block(PATIENCE);
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() ->
                        fetcher.fetch(ref("a.test", "length-huge"), budget).block(PATIENCE));
        fetcher.fetch(ref("a.test", "no-length"), budget).block(PATIENCE);
        for (String fault : List.of("ok", "no-length", "endless")) {
            assertThatExceptionOfType(GenerationException.class)
                    .isThrownBy(
                            () -> fetcher.fetch(ref("a.test", fault), budget).block(PATIENCE))
                    .withMessage("the images of this request have more bytes together than the limit of 1500 bytes")
                    .matches(error -> error.type() == ErrorType.IMAGE_TOO_LARGE);
        }
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> fetcher.fetch(new ImageRef("data:image/png;base64," + "A".repeat(800), "url"), budget)
                        .block(PATIENCE))
                .withMessageStartingWith("the images of this request have more bytes together");
        assertThat(budget.left()).isEqualTo(300);
        assertThat(fetcher.fetch(ref("a.test", "ok")).block(PATIENCE))
                .as("another request")
                .hasSize(600);
    }

    @Test
    void fetch_userAgent_isAsConfigured() {
        fetcher("user-agent", "Shop/1.0 (https://shop.test/bot)")
                .fetch(ref("a.test", "ok"))
                .block(PATIENCE);

        assertThat(hostile.requests().get(0).toLowerCase(Locale.ROOT))
                .contains("user-agent: shop/1.0 (https://shop.test/bot)\r\n");
    }

    @Test
    void fetch_cancelled_isCountedAndGivesBack() {
        ImageFetcher fetcher = fetcher();
        running.add(fetcher.fetch(ref("a.test", "hang-body")).subscribe());
        await().atMost(PATIENCE).until(() -> hostile.requests("hang-body") == 1);

        running.get(0).dispose();

        await().atMost(PATIENCE)
                .until(() -> count("cancelled") == 1
                        && fetcher.freeSlots() == 32
                        && fetcher.hostsInUse() == 0
                        && hostile.openConnections() == 0);
    }

    @Test
    void fetch_keptPicture_comesFromMemoryAndIsAskedForWhenStale() {
        Queue<String> validators = new ConcurrentLinkedQueue<>();
        DisposableServer server = HttpServer.create()
                .host(HostileImageHost.ADDRESS)
                .port(0)
                .route(routes -> routes.get("/fresh", (request, response) -> {
                            validators.add("none");
                            return response.header("Cache-Control", "max-age=1000")
                                    .sendString(Mono.just("fresh"));
                        })
                        .get("/moved", (request, response) -> response.status(302)
                                .header("Cache-Control", "max-age=1000")
                                .header("Location", "/fresh")
                                .send())
                        .get("/stale", (request, response) -> {
                            String validator = request.requestHeaders().get("If-None-Match", "none");
                            validators.add(validator);
                            response.header("ETag", "\"1\"").header("Cache-Control", "no-cache");
                            return validator.equals("\"1\"")
                                    ? response.status(304).send()
                                    : response.sendString(Mono.just("stale"));
                        })
                        .get("/missing", (request, response) -> {
                            validators.add("missing");
                            return response.status(404)
                                    .header("Cache-Control", "max-age=1000")
                                    .send();
                        }))
                .bindNow();
        FakeNetwork near = new FakeNetwork(wanted -> new InetSocketAddress(HostileImageHost.ADDRESS, server.port()));
        near.put("a.test", "93.184.216.34");
        try {
            ImageFetcher fetcher = fetcher(near, "fetch-cache-size", "1MB", "max-request-bytes", "12B");
            FetchBudget budget = fetcher.budget("client");

            assertThat(text(fetcher.fetch(new ImageRef("http://a.test/fresh", "url"), budget)))
                    .isEqualTo("fresh");
            assertThat(text(fetcher.fetch(new ImageRef("http://a.test/fresh#x", "url"), budget)))
                    .isEqualTo("fresh");
            assertThat(text(fetcher.fetch(new ImageRef("http://a.test/moved", "url"))))
                    .isEqualTo("fresh");
            assertThat(validators).containsExactly("none");
            assertThatExceptionOfType(GenerationException.class)
                    .as("kept pictures count, too")
                    .isThrownBy(() -> text(fetcher.fetch(new ImageRef("http://a.test/fresh", "url"), budget)));
            validators.clear();
            for (int i = 0; i < 3; i++) {
                assertThat(text(fetcher.fetch(new ImageRef("http://a.test/stale", "url"))))
                        .isEqualTo("stale");
            }
            assertThat(validators).containsExactly("none", "\"1\"", "\"1\"");
            validators.clear();
            for (int i = 0; i < 2; i++) {
                assertThatExceptionOfType(GenerationException.class)
                        .isThrownBy(() -> text(fetcher.fetch(new ImageRef("http://a.test/missing", "url"))));
            }
            assertThat(validators).hasSize(2);
        } finally {
            server.disposeNow();
            near.close();
        }
    }

    private static String text(Mono<byte[]> fetch) {
        return new String(fetch.block(PATIENCE), StandardCharsets.UTF_8);
    }

    /** What went wrong, or nothing. */
    private String outcome(ImageFetcher fetcher, String host, String fault) {
        try {
            fetcher.fetch(ref(host, fault)).block(PATIENCE);
            return "";
        } catch (GenerationException e) {
            return String.valueOf(e.getCause().getMessage());
        }
    }

    private long count(String outcome) {
        return meters.get("idefics.image.fetches")
                .tag("outcome", outcome)
                .timer()
                .count();
    }

    private ImageRef ref(String host, String fault) {
        network.put(host, "93.184.216.34");
        return new ImageRef("http://" + host + "/" + fault, "url");
    }

    private ImageFetcher fetcher(String... keysAndValues) {
        return fetcher(network, keysAndValues);
    }

    private ImageFetcher fetcher(FakeNetwork network, String... keysAndValues) {
        Map<String, String> values = new HashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            values.put("idefics.image." + keysAndValues[i], keysAndValues[i + 1]);
        }
        return new ImageFetcher(ImagePropertiesTest.bind(values), "1", meters, network.network());
    }
}
