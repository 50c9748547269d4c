package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.checkpoint.TestModels;
import io.idefics.image.TestPictures;
import io.idefics.model.MemoryLedger;
import io.idefics.service.BlockingClock;
import io.idefics.service.EngineProbe;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import io.idefics.testing.ApiCase;
import io.idefics.testing.Canary;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.RawReply;
import io.idefics.testing.Settings;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.util.ResourceLeakDetector;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.context.TestConfiguration;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import org.springframework.test.context.TestPropertySource;
import org.springframework.web.server.WebFilter;
import reactor.core.publisher.Mono;

/**
 * Every hostile or odd request of a list, as bytes over a socket, against the whole service with a key. After each one the
 * service is alive, answers an ordinary request as before, has asked no forbidden address, and has logged no fault, key or
 * control character.
 */
@ExtendWith(OutputCaptureExtension.class)
@TestPropertySource(
        properties = {
            "server.netty.idle-timeout=2s",
            "idefics.web.write-timeout=2s",
            "idefics.web.keep-alive-interval=300ms",
            "idefics.image.fetch-timeout=2s"
        })
class ApiCasesIT extends RunningServer {

    private static final String KEY = "sk-tests-0aB1cD2eF3gH4iJ5kL6mN7oP";
    private static final String LIMITED_KEY = "sk-tests-limited";
    private static final String BUSY_KEY = "sk-tests-busy";
    private static final String FAULT = "X-Test-Fault";
    private static final String INTERNALS =
            "(java\\.|reactor\\.|org\\.spring|io\\.netty|com\\.fasterxml|io\\.idefics)[a-z]*\\.|\\tat [a-z]|0x7f[0-9a-f]{9}";
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final Pattern FILE = Pattern.compile("\\{FILE:([^}]+)}");
    private static final Canary CANARY = new Canary();
    private static final Map<String, String> PICTURES = Map.of(
            "bombs/png-30000x30000-1bit.png", base64(bomb()),
            "disguised/svg-xxe-as.png",
                    base64(("<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
                                    + "<svg xmlns=\"http://www.w3.org/2000/svg\"><text>&x;</text></svg>")
                            .getBytes(StandardCharsets.UTF_8)));
    private static final String DATA_PNG =
            "data:image/png;base64," + base64(TestPictures.written(noise(64, 48, 1), "png"));

    @TempDir
    private static Path directory;

    @Autowired
    private MeterRegistry meters;

    private static String expectedControl = "";

    @DynamicPropertySource
    static void key(DynamicPropertyRegistry properties) {
        properties.add("idefics.access.keys[0].name", () -> "tests");
        properties.add("idefics.access.keys[0].hash", () -> "sha256:" + sha256(KEY));
        properties.add("idefics.access.keys[1].name", () -> "limited");
        properties.add("idefics.access.keys[1].hash", () -> "sha256:" + sha256(LIMITED_KEY));
        properties.add("idefics.access.keys[1].limits.requests-per-minute", () -> "2");
        properties.add("idefics.access.keys[2].name", () -> "busy");
        properties.add("idefics.access.keys[2].hash", () -> "sha256:" + sha256(BUSY_KEY));
        properties.add("idefics.access.keys[2].limits.concurrent-requests", () -> "1");
    }

    /** Lets a test make any request fail inside the service. */
    @TestConfiguration
    static class Faults {

        @Bean
        @Order(Ordered.LOWEST_PRECEDENCE)
        WebFilter faults() {
            return (exchange, chain) -> exchange.getRequest().getHeaders().containsKey(FAULT)
                    ? Mono.error(new IllegalStateException("/etc/secret at 0x7f0123456789 in java.lang.Thread"))
                    : chain.filter(exchange);
        }
    }

    /** A case that needs more than one exchange, or one that cannot be written down. */
    private interface Driver {
        void run(ApiCase apiCase) throws Exception;
    }

    private final Map<String, Driver> drivers = Map.ofEntries(
            Map.entry("messages-38", apiCase -> assertOk(exchange(promptOf(contextLength() - 1)))),
            Map.entry("messages-39", apiCase -> assertRefused(apiCase, exchange(promptOf(contextLength())))),
            Map.entry(
                    "auth-20",
                    apiCase -> assertVerdict(
                            apiCase, exchange(apiCase.request(this::fill, hi(), "Authorization: Bearer wrong\r\n")))),
            Map.entry("http-30", apiCase -> pipelined(apiCase)),
            Map.entry("http-34", apiCase -> assertBareStatus(get("X-Long: " + "x".repeat(9_000) + "\r\n", ""), 431)),
            Map.entry("http-35", apiCase -> assertBareStatus(get("X-Long: " + "x".repeat(1 << 20) + "\r\n", ""), 431)),
            Map.entry(
                    "http-36",
                    apiCase -> assertBareStatus(
                            get(
                                    IntStream.range(0, 500)
                                            .mapToObj(i -> "a" + i + ": 1\r\n")
                                            .collect(Collectors.joining()),
                                    ""),
                            200,
                            431)),
            Map.entry("http-38", apiCase -> assertBareStatus(get("", "x".repeat(5_000)), 414)),
            Map.entry("http-40", apiCase -> assertThat(
                            RawReply.untilClosed(port, new byte[0], SOON).isClosed())
                    .isTrue()),
            Map.entry("http-42", apiCase -> slowReader()),
            Map.entry("http-43", apiCase -> silentSockets()),
            Map.entry("http-45", apiCase -> resetWhileSending()),
            Map.entry(
                    "route-19",
                    apiCase -> assertVerdict(apiCase, exchange(apiCase.request(this::fill, gzipBomb(), "")))),
            Map.entry("stream-01", apiCase -> wellFormedStream(exchange(apiCase.request(this::fill)))),
            Map.entry("stream-02", apiCase -> usageChunk(exchange(apiCase.request(this::fill)))),
            Map.entry("stream-03", apiCase -> {
                RawReply reply = exchange(apiCase.request(this::fill));
                assertVerdict(apiCase, reply);
                assertThat(reply.header("content-type")).containsExactly("application/json");
            }),
            Map.entry("stream-06", apiCase -> forcedStream("a\nb\rc\u2028d\u0085e\n\nf")),
            Map.entry("stream-07", apiCase -> forcedStream("\ud83d\ude00\ud83c\udf08 \u6f22")),
            Map.entry("stream-09", apiCase -> leaveAfterChunks(false)),
            Map.entry("stream-12", apiCase -> leaveAfterChunks(true)),
            Map.entry("stream-15", apiCase -> manyLeave()),
            Map.entry("stream-17", apiCase -> silentStream()),
            Map.entry("stream-18", apiCase -> terminateWithStreams()),
            Map.entry("load-02", apiCase -> rateLimit(apiCase)),
            Map.entry("load-07", apiCase -> oneTakesAll(apiCase)),
            Map.entry("load-03", apiCase -> stillLoading(apiCase)),
            Map.entry("load-04", apiCase -> parallelBombs(apiCase)),
            Map.entry("load-06", apiCase -> hangingPictures(apiCase)),
            Map.entry("exposure-42", apiCase -> {
                RawReply reply = exchange(apiCase.request(this::fill, hi(), FAULT + ": yes\r\n"));
                assertVerdict(apiCase, reply);
                assertThat(reply.header("x-request-id").get(0)).matches("[A-Za-z0-9._-]{1,128}");
            }));

    static List<ApiCase> cases() {
        return ApiCase.all();
    }

    @AfterAll
    static void close() throws IOException {
        CANARY.close();
    }

    @BeforeEach
    void rememberControl() {
        if (expectedControl.isEmpty()) {
            expectedControl = control();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void request_asListed_getsItsVerdictAndHarmsNothing(ApiCase apiCase, CapturedOutput output) throws Exception {
        int connections = CANARY.connections();

        Driver driver = drivers.get(apiCase.id());
        if (driver == null) {
            assertVerdict(apiCase, exchange(apiCase));
        } else {
            driver.run(apiCase);
        }

        assertAlive();
        assertThat(CANARY.connections()).isEqualTo(connections);
        assertThat(output.getAll())
                .doesNotContain(KEY, KEY.substring(0, KEY.length() - 1), "\u001b", "LEAK:", "jndi", "base64");
        if (!apiCase.id().equals("exposure-42")) {
            assertThat(output.getAll()).doesNotContain(" ERROR ", "\tat ");
        }
    }

    private RawReply exchange(ApiCase apiCase) {
        byte[] request = apiCase.request(this::fill);
        RawReply reply = exchange(request);
        // Once more where it was slow, as the machine may have been busy with something else.
        boolean slow = reply.millis() > apiCase.maxMillis().orElse(Long.MAX_VALUE);
        return slow ? exchange(request) : reply;
    }

    private RawReply exchange(byte[] request) {
        return RawReply.to(port, request, SOON);
    }

    private String fill(String text) {
        String filled = text.replace("{KEY[:-1]}", KEY.substring(0, KEY.length() - 1))
                .replace("{KEY.upper()}", swapCase(KEY))
                .replace("{KEY[:10]}", KEY.substring(0, 10))
                .replace("{KEY}", KEY)
                .replace("{MODEL}", modelId())
                .replace("{CANARY}", Integer.toString(CANARY.port()))
                .replace("{DATA_PNG}", DATA_PNG);
        if (filled.contains("{GEN:5 MB JPEG}")) {
            filled = filled.replace("{GEN:5 MB JPEG}", base64(TestPictures.written(noise(4000, 3000, 96), "jpg")));
        }
        return FILE.matcher(filled).replaceAll(found -> Matcher.quoteReplacement(file(found.group(1))));
    }

    private static String file(String name) {
        String made = PICTURES.get(name);
        return made != null ? made : base64(ApiCase.picture(name.substring(name.indexOf('/') + 1)));
    }

    private void assertVerdict(ApiCase apiCase, RawReply reply) {
        assertThat(reply.status()).as("%s", reply.raw()).isIn(apiCase.statuses());
        assertThat(reply.millis()).isLessThanOrEqualTo(apiCase.maxMillis().orElse(Long.MAX_VALUE));
        assertThat(reply.raw())
                .doesNotContainPattern(INTERNALS)
                .doesNotContain(KEY, "evil.test")
                .doesNotContainIgnoringCase("\r\nserver:")
                .doesNotContainIgnoringCase("\r\nx-powered-by:");
        assertThat(reply.header("x-content-type-options")).containsExactly("nosniff");
        assertThat(reply.header("content-security-policy")).hasSize(1);
        assertThat(reply.header("access-control-allow-origin")).isEmpty();
        assertThat(reply.header("x-request-id")).singleElement().asString().matches("[A-Za-z0-9._-]{1,128}");
        if (reply.status() >= 400) {
            assertRefused(apiCase, reply);
        }
        switch (apiCase.area()) {
            case "model" -> assertNoSeries(apiCase);
            case "prompt" -> assertOrdinaryText(apiCase, reply);
            case "image" -> assertThat(reply.body()).doesNotContain("refused", "timed out", "127.0.0.1");
            default -> {}
        }
        if (reply.status() == 200 && reply.header("content-type").contains("application/json")) {
            assertThat(reply.header("cache-control")).containsExactly("no-store");
        }
    }

    private static void assertRefused(ApiCase apiCase, RawReply reply) {
        assertThat(reply.status()).as("%s", reply.raw()).isIn(apiCase.statuses());
        assertThat(reply.header("content-type")).containsExactly("application/json");
        if (reply.status() == 401) {
            assertThat(reply.header("www-authenticate"))
                    .singleElement()
                    .asString()
                    .startsWith("Bearer");
        }
        if (apiCase.hasErrorObject() && !reply.body().isEmpty()) {
            JsonNode error = reply.json().get("error");
            assertThat(error.fieldNames()).toIterable().contains("message", "type", "param", "code");
            assertThat(error.get("message").asText()).isNotBlank().doesNotContainPattern("\\p{Cntrl}");
            apiCase.errorFields()
                    .forEach((name, value) ->
                            assertThat(error.get(name).asText()).as(name).isEqualTo(value));
        }
    }

    private static void assertBareStatus(RawReply reply, Integer... statuses) {
        assertThat(reply.status()).as("%s", reply.raw()).isIn((Object[]) statuses);
        assertThat(reply.header("x-content-type-options")).containsExactly("nosniff");
        if (reply.status() >= 400) {
            assertThat(reply.json().at("/error/message").asText()).isNotBlank();
        }
    }

    private static void assertOk(RawReply reply) {
        assertThat(reply.status()).as("%s", reply.raw()).isEqualTo(200);
    }

    /** No meter tells the name of a model that does not exist. */
    private void assertNoSeries(ApiCase apiCase) {
        String name = fill(apiCase.node().at("/body/model").asText("nope"));
        if (!name.isEmpty() && !name.equals(modelId())) {
            assertThat(meters.getMeters().stream()
                            .flatMap(meter -> meter.getId().getTags().stream())
                            .map(tag -> tag.getValue()))
                    .doesNotContain(name);
        }
    }

    /** What a text says is never special, whatever it looks like. */
    private void assertOrdinaryText(ApiCase apiCase, RawReply reply) {
        if (reply.status() == 200) {
            ObjectNode body = ((ObjectNode) apiCase.node().get("body")).deepCopy();
            body.put("model", modelId());
            RawReply rendered = exchange(request("/v1/chat/completions/render", body));
            ArrayNode harmless = body.putArray("messages");
            harmless.addObject().put("role", "user").put("content", "hi");
            assertThat(specialTokens(rendered))
                    .isEqualTo(specialTokens(exchange(request("/v1/chat/completions/render", body))));
        }
    }

    private static List<Integer> specialTokens(RawReply rendered) {
        assertOk(rendered);
        List<Integer> special = new ArrayList<>();
        try (IdeficsTokenizer tokenizer = IdeficsTokenizer.load(MiniEvaluation.MODEL.resolve("tokenizer.json"))) {
            List<Integer> ids = Stream.of(
                            "<s>",
                            "</s>",
                            "<pad>",
                            "<unk>",
                            "<image>",
                            "<fake_token_around_image>",
                            "<end_of_utterance>")
                    .flatMapToInt(name -> tokenizer.specialId(name).stream())
                    .boxed()
                    .toList();
            for (JsonNode id : rendered.json().get("token_ids")) {
                if (ids.contains(id.asInt())) {
                    special.add(id.asInt());
                }
            }
        }
        return special;
    }

    /** The service answers at once whether it lives, and an ordinary request as it did at first. */
    private void assertAlive() {
        byte[] health = "GET /actuator/health/liveness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                .getBytes(StandardCharsets.US_ASCII);
        assertThat(Stream.generate(() -> exchange(health))
                        .limit(5)
                        .anyMatch(reply -> reply.status() == 200 && reply.millis() < 1_000))
                .isTrue();
        assertThat(control()).isEqualTo(expectedControl);
    }

    private String control() {
        RawReply reply = exchange(request("/v1/chat/completions", body("Hello!").put("max_tokens", 8)));
        assertOk(reply);
        return reply.json().at("/choices/0/message/content").textValue();
    }

    private static ObjectNode body(String text, String... pictures) {
        return request(userMessage(text, pictures));
    }

    private static byte[] hi() {
        return "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":4}"
                .getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] request(String path, JsonNode body) {
        byte[] content = body.toString().getBytes(StandardCharsets.UTF_8);
        byte[] head = ("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer "
                        + KEY + "\r\nContent-Type: application/json\r\nContent-Length: " + content.length + "\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
        byte[] request = Arrays.copyOf(head, head.length + content.length);
        System.arraycopy(content, 0, request, head.length, content.length);
        return request;
    }

    private RawReply get(String headers, String pathEnd) {
        return exchange(("GET /v1/models" + pathEnd + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        + "Authorization: Bearer " + KEY + "\r\n" + headers + "\r\n")
                .getBytes(StandardCharsets.US_ASCII));
    }

    private int contextLength() {
        return exchange(request("/tokenize", JSON.createObjectNode().put("prompt", "a")))
                .json()
                .get("max_model_len")
                .asInt();
    }

    /** A request whose prompt has a number of tokens, and whose answer may have one. */
    private byte[] promptOf(int tokens) {
        Function<Integer, Integer> count =
                words -> exchange(request("/v1/chat/completions/input_tokens", body("hi" + " hi".repeat(words))))
                        .json()
                        .get("input_tokens")
                        .asInt();
        int least = count.apply(0);
        int each = (count.apply(100) - least) / 100;
        int words = (tokens - least) / each;
        assertThat(count.apply(words)).isEqualTo(tokens);
        return request("/v1/chat/completions", body("hi" + " hi".repeat(words)).put("max_tokens", 1));
    }

    private void pipelined(ApiCase apiCase) {
        byte[] twenty = apiCase.request(this::fill);
        String all = new String(twenty, StandardCharsets.ISO_8859_1).repeat(5);

        RawReply reply = RawReply.untilClosed(port, all.getBytes(StandardCharsets.ISO_8859_1), SOON);

        assertThat(reply.raw().split("HTTP/1\\.1 200 ", -1)).hasSize(101);
    }

    /** The writing of an answer that nobody reads fails, and with it the generation. */
    private void slowReader() throws IOException {
        ObjectNode endless = endless().put("n", 8).put("logprobs", true).put("top_logprobs", 20);
        try (Socket socket = new Socket()) {
            socket.setReceiveBufferSize(4096);
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            socket.getOutputStream().write(request("/v1/chat/completions", endless));
            await().atMost(SOON).until(() -> EngineProbe.sequences(registry) > 0);

            awaitIdle(PATIENCE);
        }
    }

    /** Ten thousand connections that say nothing, to a server of its own as each costs two files. */
    private void silentSockets() throws Exception {
        List<Socket> sockets = new ArrayList<>();
        try (ServerProcess server = ServerProcess.start(directory, List.of())) {
            try {
                for (int i = 0; i < 10_000; i++) {
                    sockets.add(new Socket("127.0.0.1", server.port()));
                }
                long start = System.nanoTime();
                assertThat(server.get("/actuator/health/liveness").statusCode()).isEqualTo(200);
                assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
                assertThat(server.post("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":4}")
                                .join()
                                .statusCode())
                        .isEqualTo(200);
            } finally {
                for (Socket socket : sockets) {
                    socket.close();
                }
            }
        }
    }

    private void resetWhileSending() throws IOException {
        for (int i = 0; i < 20; i++) {
            byte[] whole = request("/v1/chat/completions", body("x".repeat(100_000)));
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                socket.setSoLinger(true, 0);
                socket.getOutputStream().write(whole, 0, whole.length / 2);
            }
        }
        awaitIdle(SOON);
    }

    /** A gigabyte of zeros, as a thousand members of a megabyte each. */
    private static byte[] gzipBomb() throws IOException {
        ByteArrayOutputStream member = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(member)) {
            gzip.write(new byte[1 << 20]);
        }
        ByteArrayOutputStream bomb = new ByteArrayOutputStream();
        for (int i = 0; i < 1024; i++) {
            bomb.writeBytes(member.toByteArray());
        }
        return bomb.toByteArray();
    }

    private static void wellFormedStream(RawReply reply) {
        assertOk(reply);
        assertThat(reply.header("content-type")).singleElement().asString().startsWith("text/event-stream");
        assertThat(reply.header("cache-control")).containsExactly("no-cache");
        assertThat(reply.header("x-accel-buffering")).containsExactly("no");
        assertThat(reply.body()).endsWith("\n\ndata: [DONE]\n\n");
        List<JsonNode> chunks = chunks(reply);
        assertThat(chunks.get(0).at("/choices/0/delta/role").asText()).isEqualTo("assistant");
        assertThat(chunks.get(chunks.size() - 1).at("/choices/0/finish_reason").asText())
                .isIn("stop", "length");
        for (String field : List.of("id", "created", "model")) {
            assertThat(chunks.stream().map(chunk -> chunk.get(field)))
                    .containsOnly(chunks.get(0).get(field));
        }
    }

    private static void usageChunk(RawReply reply) {
        assertOk(reply);
        List<JsonNode> chunks = chunks(reply);
        JsonNode last = chunks.get(chunks.size() - 1);
        assertThat(last.get("choices")).isEmpty();
        assertThat(last.at("/usage/completion_tokens").asInt()).isPositive();
    }

    /** An answer that has to be this text arrives as it is, each event on a line of its own. */
    private void forcedStream(String text) {
        ObjectNode body = body("hi").put("stream", true);
        body.putObject("structured_outputs").putArray("choice").add(text);

        RawReply reply = exchange(request("/v1/chat/completions", body));

        wellFormedStream(reply);
        assertThat(reply.body().split("\n\n")).allMatch(event -> event.matches("(data: [^\\n\\r]*|: keep-alive)"));
        assertThat(chunks(reply).stream()
                        .map(chunk -> chunk.at("/choices/0/delta/content").asText())
                        .collect(Collectors.joining()))
                .isEqualTo(text);
    }

    private static List<JsonNode> chunks(RawReply reply) {
        List<String> events = reply.events();
        assertThat(events.get(events.size() - 1)).isEqualTo("[DONE]");
        return events.subList(0, events.size() - 1).stream().map(RawReply::json).toList();
    }

    private static ObjectNode endless() {
        return body("Hello!").put("stream", true).put("ignore_eos", true);
    }

    private void leaveAfterChunks(boolean reset) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout((int) SOON.toMillis());
            socket.getOutputStream().write(request("/v1/chat/completions", endless()));
            StringBuilder read = new StringBuilder();
            while (read.toString().split("data: ", -1).length <= 3) {
                int next = socket.getInputStream().read();
                assertThat(next).isNotNegative();
                read.append((char) next);
            }
            socket.setSoLinger(reset, 0);
        }
        awaitIdle(SOON);
        assertThat(meters.get("resilience4j.bulkhead.available.concurrent.calls")
                        .gauge()
                        .value())
                .isEqualTo(meters.get("resilience4j.bulkhead.max.allowed.concurrent.calls")
                        .gauge()
                        .value());
    }

    private void manyLeave() throws IOException {
        ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
        try {
            int threads = Thread.activeCount();
            byte[] request = request("/v1/chat/completions", endless());
            for (int i = 0; i < 1_000; i++) {
                try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                    socket.getOutputStream().write(request);
                    if (i % 3 == 0) {
                        socket.setSoLinger(true, 0);
                    } else if (i % 3 == 1) {
                        assertThat(socket.getInputStream().read()).isNotNegative();
                    }
                }
            }
            awaitIdle(PATIENCE);
            assertThat(Thread.activeCount()).isLessThan(threads + 50);
            System.gc();
            for (int i = 0; i < 20; i++) {
                assertAlive();
            }
        } finally {
            ResourceLeakDetector.setLevel(level);
        }
    }

    /** A stream whose picture does not come is not silent. */
    private void silentStream() {
        RawReply reply = exchange(request(
                "/v1/chat/completions", body("What?", IMAGE_HOST.url("hang")).put("stream", true)));

        assertThat(reply.body().split(": keep-alive\n\n", -1)).hasSizeGreaterThan(3);
    }

    /** Streams that run when the service is told to stop come to their end or are told why not. */
    private void terminateWithStreams() throws Exception {
        try (ServerProcess server = ServerProcess.start(directory, List.of())) {
            List<CompletableFuture<List<String>>> streams = new ArrayList<>();
            ExecutorService readers = Executors.newFixedThreadPool(20);
            String body = endless().put("max_tokens", 400).toString();
            for (int i = 0; i < 20; i++) {
                streams.add(server.lines(body).thenApplyAsync(Stream::toList, readers));
            }
            await().atMost(SOON)
                    .until(() -> server.get("/actuator/metrics/http.server.requests.active")
                                    .body()
                                    .contains("\"value\"")
                            && running(server) >= 16);

            server.signal("TERM");

            for (CompletableFuture<List<String>> stream : streams) {
                List<String> lines = stream.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                assertThat(lines).containsAnyOf("data: [DONE]", "event: error");
            }
            await().atMost(PATIENCE).until(() -> !server.isAlive());
            readers.shutdown();
        }
    }

    private static double running(ServerProcess server) {
        JsonNode meter = RawReply.json(
                server.get("/actuator/metrics/idefics.engine.sequences.running").body());
        return meter.at("/measurements/0/value").asDouble();
    }

    /** The third request within a minute is one too many. */
    private void rateLimit(ApiCase apiCase) {
        byte[] request =
                as(LIMITED_KEY, request("/v1/chat/completions", body("hi").put("max_tokens", 1)));
        List<RawReply> replies =
                Stream.generate(() -> exchange(request)).limit(3).toList();

        assertThat(replies).extracting(RawReply::status).containsExactly(200, 200, 429);
        assertVerdict(apiCase, replies.get(2));
        assertThat(Integer.parseInt(replies.get(2).header("retry-after").get(0)))
                .isBetween(1, 60);
        assertThat(replies.get(0).header("x-ratelimit-limit-requests")).containsExactly("2");
        assertThat(replies.get(1).header("x-ratelimit-remaining-requests")).containsExactly("0");
    }

    /** Who has as many requests as a key may have at once waits for one of them; others do not. */
    private void oneTakesAll(ApiCase apiCase) throws IOException {
        byte[] request = as(BUSY_KEY, request("/v1/chat/completions", endless()));
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.getOutputStream().write(request);
            assertThat(socket.getInputStream().read()).isNotNegative();

            assertVerdict(apiCase, exchange(request));
            assertThat(control()).isEqualTo(expectedControl);
        }
        awaitIdle(SOON);
    }

    private static byte[] as(String key, byte[] request) {
        return new String(request, StandardCharsets.ISO_8859_1)
                .replace(KEY, key)
                .getBytes(StandardCharsets.ISO_8859_1);
    }

    private void stillLoading(ApiCase apiCase) {
        BlockingClock clock = new BlockingClock();
        try (ConfigurableApplicationContext context = new SpringApplicationBuilder(IdeficsApplication.class)
                .properties("server.port=0", "spring.main.allow-bean-definition-overriding=true")
                .initializers((GenericApplicationContext c) -> c.registerBean(
                        "modelRegistry", ModelRegistry.class, () -> new ModelRegistry(List.of(loading(clock)))))
                .run()) {
            int other = Integer.parseInt(context.getEnvironment().getRequiredProperty("local.server.port"));
            RawReply answer = RawReply.to(other, request("/v1/chat/completions", body("hi")), SOON);
            assertVerdict(apiCase, answer);
            assertThat(answer.header("retry-after")).isNotEmpty();
            assertThat(status(other, "/actuator/health/readiness")).isEqualTo(503);
            assertThat(status(other, "/actuator/health/liveness")).isEqualTo(200);
            clock.release();
        }
    }

    private static ModelHost loading(BlockingClock clock) {
        return new ModelHost(
                Settings.model(TestModels.golden("tiny-f32")),
                Settings.engine(),
                Settings.pool(),
                MemoryLedger.ofMachine(),
                clock);
    }

    private static int status(int port, String path) {
        String request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        return RawReply.to(port, request.getBytes(StandardCharsets.US_ASCII), SOON)
                .status();
    }

    private void parallelBombs(ApiCase apiCase) {
        String bomb = "data:image/png;base64," + PICTURES.get("bombs/png-30000x30000-1bit.png");
        byte[] request = request("/v1/chat/completions", body("What?", bomb, bomb));

        List<RawReply> replies = besides(request, 32);

        replies.forEach(reply -> assertVerdict(apiCase, reply));
        Runtime heap = Runtime.getRuntime();
        assertThat(heap.totalMemory() - heap.freeMemory()).isLessThan(heap.maxMemory());
    }

    private void hangingPictures(ApiCase apiCase) {
        String[] pictures =
                Stream.generate(() -> IMAGE_HOST.url("hang")).limit(32).toArray(String[]::new);

        List<RawReply> replies = besides(request("/v1/chat/completions", body("What?", pictures)), 2);

        replies.forEach(reply -> assertVerdict(apiCase, reply));
    }

    /** The answers to many requests at once, while an ordinary one is answered as ever. */
    private List<RawReply> besides(byte[] request, int times) {
        ExecutorService clients = Executors.newFixedThreadPool(times);
        try {
            List<CompletableFuture<RawReply>> replies = Stream.generate(
                            () -> CompletableFuture.supplyAsync(() -> RawReply.to(port, request, PATIENCE), clients))
                    .limit(times)
                    .toList();
            assertThat(control()).isEqualTo(expectedControl);
            return replies.stream().map(CompletableFuture::join).toList();
        } finally {
            clients.shutdown();
        }
    }

    /** A picture that no compression makes small, where the amplitude of its noise is high. */
    private static BufferedImage noise(int width, int height, int amplitude) {
        Random random = new Random(1);
        BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int value = 100 + (amplitude == 1 ? 0 : random.nextInt(amplitude));
                image.setRGB(x, y, value << 16 | value << 8 | (x & 0xff));
            }
        }
        return image;
    }

    /** Some 100 kB that would be 900 million pixels. */
    private static byte[] bomb() {
        return TestPictures.png(30_000, 30_000, 1, 0, new byte[30_000 * 3_751]);
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static String swapCase(String text) {
        return text.chars()
                .mapToObj(c -> Character.toString(
                        Character.isUpperCase(c) ? Character.toLowerCase(c) : Character.toUpperCase(c)))
                .collect(Collectors.joining());
    }

    private static String sha256(String text) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
