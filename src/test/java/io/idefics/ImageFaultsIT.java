package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.image.FetcherProbe;
import io.idefics.image.ImageFetcher;
import io.idefics.testing.HostileImageHost;
import io.idefics.testing.MiniEvaluation;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import org.springframework.test.context.TestPropertySource;

/** Whatever an image host does wrong hits the one request that asked for it, in time, and leaves nothing behind. */
@TestPropertySource(
        properties = {
            "idefics.image.connect-timeout=500ms",
            "idefics.image.first-byte-timeout=1200ms",
            "idefics.image.fetch-timeout=2500ms",
            "idefics.image.max-bytes=1MB",
            "idefics.image.max-concurrent-fetches=16",
            "idefics.image.max-concurrent-fetches-per-host=8"
        })
class ImageFaultsIT extends RunningServer {

    private static final byte[] PICTURE = MiniEvaluation.image("images/001.png");
    private static final HostileImageHost HOSTILE = new HostileImageHost(PICTURE);
    private static final Duration DEADLINE = Duration.ofMillis(2500);
    private static final Duration SLACK = Duration.ofSeconds(5);
    private static final String FAILED =
            "the image could not be fetched: its host is unknown, not reachable, too slow," + " or does not give it";

    @Autowired
    private ImageFetcher fetcher;

    @Autowired
    private MeterRegistry meters;

    /** The hostile host is on a private address and a port of its own; that it is trusted breaks no limit. */
    @DynamicPropertySource
    static void trustHostileHost(DynamicPropertyRegistry properties) {
        properties.add("idefics.image.trusted-hosts", () -> HostileImageHost.ADDRESS + ":" + HOSTILE.port());
    }

    @AfterEach
    void nothingIsLeft() {
        await().atMost(PATIENCE).untilAsserted(() -> {
            assertThat(FetcherProbe.freeSlots(fetcher)).isEqualTo(16);
            assertThat(FetcherProbe.hostsInUse(fetcher)).isZero();
            assertThat(HOSTILE.openConnections()).isZero();
        });
        assertThat(IMAGE_HOST.canaryConnections()).isZero();
        FetcherProbe.forgetFailures(fetcher);
        assertThat(post(ask(HOSTILE.url("ok"))).statusCode()).isEqualTo(200);
        assertThat(post(request(userMessage("Hello")).put("max_tokens", 4).toString())
                        .statusCode())
                .isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "hang-accept",
                "hang-headers",
                "hang-body",
                "drip-headers",
                "drip-body",
                "drip-pieces",
                "rst-accept",
                "rst-headers",
                "rst-body",
                "fin-early",
                "chunk-cut",
                "length-too-big",
                "length-negative",
                "two-lengths",
                "chunk-bad",
                "not-http",
                "long-status",
                "endless-headers",
                "gzip-bomb",
                "brotli",
                "redirect-loop",
                "redirect-new",
                "redirect-nowhere",
                "redirect-canary",
                "redirect-metadata",
                "201",
                "204",
                "206",
                "304",
                "401",
                "403",
                "404",
                "410",
                "429",
                "500",
                "503"
            })
    void post_pictureOfAFaultyHost_isRefusedInTime(String fault) {
        long start = System.nanoTime();

        HttpResponse<String> response = post(ask(HOSTILE.url(fault)));

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(DEADLINE.plus(SLACK));
        assertRefused(response, "invalid_image_url", FAILED);
        assertThat(response.body()).doesNotContain("secret");
        assertThat(response.headers().map()).doesNotContainKeys("www-authenticate", "retry-after", "set-cookie");
    }

    @ParameterizedTest
    @ValueSource(strings = {"endless", "endless-chunked", "length-huge"})
    void post_pictureWithoutEnd_isRefusedAtTheLimit(String fault) {
        assertRefused(
                post(ask(HOSTILE.url(fault))),
                "image_too_large",
                "the image is larger than the limit of 1048576 bytes");
    }

    @ParameterizedTest
    @CsvSource({"length-too-small, invalid_image_format", "html, invalid_image_format"})
    void post_whatIsNoWholePicture_isRefused(String fault, String code) {
        HttpResponse<String> response = post(ask(HOSTILE.url(fault)));

        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
        assertThat(json(response).at("/error/code").textValue()).isEqualTo(code);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ok",
                "type-lies",
                "no-type",
                "no-length",
                "redirect-ok",
                "redirect-endless",
                "set-cookie",
                "smuggle",
                "once-broken"
            })
    void post_soundPictureOfAnOddHost_isAnswered(String oddity) {
        assertThat(post(ask(HOSTILE.url(oddity))).statusCode()).isEqualTo(200);
    }

    @Test
    void post_earlyHints_areBoundedOrRefused() {
        assertThat(post(ask(HOSTILE.url("early-hints"))).statusCode()).isIn(200, 400);
    }

    @Test
    void post_cookieOfARedirect_isNotSentOn() {
        post(ask(HOSTILE.url("set-cookie")));

        assertThat(HOSTILE.requests().toString().toLowerCase(Locale.ROOT)).doesNotContain("cookie:");
    }

    @Test
    void post_brokenConnection_isTriedOnceMore() {
        long before = HOSTILE.requests("rst-body");

        post(ask(HOSTILE.url("rst-body")));

        assertThat(HOSTILE.requests("rst-body") - before).isEqualTo(2);
    }

    @Test
    void post_manyPicturesThatHang_holdNobodyElseUp() {
        List<CompletableFuture<HttpResponse<String>>> hanging = IntStream.range(
                        0, 100) // more than are served at a time
                .mapToObj(i -> postAsync(ask(HOSTILE.url("hang-accept"))))
                .toList();
        await().atMost(PATIENCE).until(() -> HOSTILE.openConnections() > 0);

        long start = System.nanoTime();
        assertThat(post(request(userMessage("Hello")).put("max_tokens", 4).toString())
                        .statusCode())
                .isEqualTo(200);
        assertThat(post(ask(MiniEvaluation.dataUrl(PICTURE))).statusCode()).isEqualTo(200);
        assertThat(post(ask(IMAGE_HOST.url("images/001.png"))).statusCode())
                .as("a picture of another host")
                .isEqualTo(200);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(SLACK.multipliedBy(4));
        assertThat(HOSTILE.openConnections()).isLessThanOrEqualTo(8);

        assertThat(hanging.stream().map(future -> future.join().statusCode()).collect(Collectors.toSet()))
                .isSubsetOf(400, 503);
    }

    @Test
    void post_hostThatKeepsFailing_isLeftAlone() {
        Stream.generate(() -> "hang-accept").limit(5).forEach(fault -> post(ask(HOSTILE.url(fault))));
        long before = HOSTILE.requests("hang-accept");
        long start = System.nanoTime();

        HttpResponse<String> response = post(ask(HOSTILE.url("hang-accept")));

        assertRefused(response, "invalid_image_url", FAILED);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(SLACK);
        assertThat(HOSTILE.requests("hang-accept")).isEqualTo(before);
        assertThat(meters.get("idefics.image.fetches")
                        .tag("outcome", "circuit_open")
                        .timer()
                        .count())
                .isPositive();
    }

    @Test
    void post_sameUrlManyTimes_isFetchedEachTime() {
        long before = HOSTILE.requests("ok");

        IntStream.range(0, 20).forEach(i -> post(ask(HOSTILE.url("ok"))));

        assertThat(HOSTILE.requests("ok") - before).isEqualTo(20);
    }

    private static void assertRefused(HttpResponse<String> response, String code, String message) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
        JsonNode error = json(response).get("error");
        assertThat(error.get("code").textValue()).isEqualTo(code);
        assertThat(error.get("message").textValue()).isEqualTo(message);
    }

    private static String ask(String imageUrl) {
        return request(userMessage("What is this?", imageUrl))
                .put("max_tokens", 4)
                .toString();
    }
}
