package io.idefics;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.image.ImageFetcher;
import io.idefics.image.ImageProperties;
import io.idefics.image.RebindingFetcher;
import io.idefics.image.TestPictures;
import io.idefics.testing.HostileHost;
import io.idefics.testing.MiniEvaluation;
import io.netty.channel.nio.NioEventLoopGroup;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.springframework.boot.SpringApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Primary;

/**
 * Measures how long a normal chat takes while the service is attacked, on loopback alone, and ends with status 1 if that
 * is more than twice as long as without the attack, if a chat fails or if a forbidden address is reached.
 *
 * <p>Arguments: {@code --rounds=2} of a quiet and an attacked block for each attack, {@code --seconds=12} of each attack,
 * {@code --chats=20} in each block at least, {@code --only=TEXT} in the name of an attack, {@code --heap=512m}, and
 * further settings of the service. Names of hosts are answered by a resolver of the tool's own application.
 */
public final class HostileLoadTool {

    private static final String CHAT = "/v1/chat/completions";
    private static final InetSocketAddress CLIENT = source("127.0.0.1");
    private static final List<InetSocketAddress> ONE = List.of(source("127.0.0.2"));
    private static final List<InetSocketAddress> MANY =
            IntStream.range(10, 210).mapToObj(i -> source("127.0.0." + i)).toList();
    private static final int MOST_RATIO = 2;
    private static final byte[] NOTHING = {};

    private final ServerProcess server;
    private final HostileHost host;
    private final NioEventLoopGroup loop = new NioEventLoopGroup(1);
    private final byte[] chat = chat(picture(), 16, "close");
    private final int rounds;
    private final int chats;
    private final Duration time;

    private HostileLoadTool(ServerProcess server, HostileHost host, int rounds, int chats, Duration time) {
        this.server = server;
        this.host = host;
        this.rounds = rounds;
        this.chats = chats;
        this.time = time;
    }

    /** The service, for which every name has two addresses in turn. */
    public static final class Application {

        private Application() {}

        public static void main(String[] args) {
            SpringApplication.run(new Class<?>[] {IdeficsApplication.class, Names.class}, args);
        }

        /** Answers names. */
        @Configuration(proxyBeanMethods = false)
        static class Names {

            @Bean
            @Primary
            ImageFetcher rebindingFetcher(ImageProperties properties) {
                return RebindingFetcher.create(properties, HostileHost.ADDRESS, HostileHost.CANARY);
            }
        }
    }

    /** One attack, which goes on until it is closed. */
    private record Attack(String name, Supplier<Flood> start) {}

    /** The times of chats in nanoseconds, the failures among them, and the slowest answer about health. */
    private record Block(List<Long> nanos, int failures, long healthNanos) {

        static Block of(List<Block> blocks) {
            return new Block(
                    blocks.stream()
                            .flatMap(block -> block.nanos.stream())
                            .sorted()
                            .toList(),
                    blocks.stream().mapToInt(Block::failures).sum(),
                    blocks.stream().mapToLong(Block::healthNanos).max().orElse(0));
        }

        double millis(double share) {
            return nanos.isEmpty()
                    ? Double.NaN
                    : nanos.get((int) Math.min(nanos.size() - 1L, Math.round(share * (nanos.size() - 1)))) / 1e6;
        }
    }

    public static void main(String[] args) throws Exception {
        List<String> rest = new ArrayList<>(Arrays.asList(args));
        int rounds = Integer.parseInt(take(rest, "rounds", "2"));
        int chats = Integer.parseInt(take(rest, "chats", "20"));
        Duration time = Duration.ofSeconds(Long.parseLong(take(rest, "seconds", "12")));
        String only = take(rest, "only", "");
        String heap = take(rest, "heap", "512m");
        Path directory = Files.createTempDirectory("hostile-load");
        boolean good;
        try (HostileHost host = new HostileHost()) {
            rest.add("--idefics.image.allowed-addresses=" + HostileHost.ADDRESS + "/32");
            rest.add("--idefics.image.allowed-ports=80,443," + host.port());
            rest.add("--logging.level.io.idefics.access=warn");
            try (ServerProcess server = ServerProcess.start(
                    Application.class, directory, List.of("-Xmx" + heap), rest.toArray(String[]::new))) {
                good = new HostileLoadTool(server, host, rounds, chats, time).run(only);
            }
        }
        System.out.println("The log of the service is in " + directory);
        System.exit(good ? 0 : 1);
    }

    private static String take(List<String> args, String name, String otherwise) {
        String prefix = "--" + name + "=";
        String found =
                args.stream().filter(arg -> arg.startsWith(prefix)).findFirst().orElse(prefix + otherwise);
        args.remove(found);
        return found.substring(prefix.length());
    }

    private boolean run(String only) throws Exception {
        for (int i = 0; i < 3; i++) {
            block(chats, Duration.ZERO); // warm
        }
        System.out.printf(
                Locale.ROOT,
                "%-44s %6s %9s %9s %9s %9s %6s %5s %9s %8s %8s %9s%n",
                "attack",
                "open",
                "quiet p50",
                "quiet p95",
                "under p50",
                "under p95",
                "ratio",
                "fails",
                "health ms",
                "heap MB",
                "RSS MB",
                "closed");
        boolean good = true;
        for (Attack attack : attacks()) {
            if (attack.name.contains(only)) {
                good &= measure(attack);
            }
        }
        if (host.canaryConnections() > 0) {
            System.out.println("The canary was reached " + host.canaryConnections() + " times.");
            good = false;
        }
        return good;
    }

    private boolean measure(Attack attack) throws Exception {
        List<Block> quiet = new ArrayList<>();
        List<Block> attacked = new ArrayList<>();
        int open = 0;
        long closings = 0;
        String memory = "";
        for (int round = 0; round < rounds; round++) {
            quiet.add(block(chats, Duration.ZERO));
            try (Flood flood = attack.start.get()) {
                awaitAll(flood);
                attacked.add(block(chats, time));
                open = Math.max(open, flood.open());
                memory = memory();
                closings += flood.closings();
            }
            settle();
        }
        Block before = Block.of(quiet);
        Block during = Block.of(attacked);
        double ratio = during.millis(0.5) / before.millis(0.5);
        System.out.printf(
                Locale.ROOT,
                "%-44s %6d %9.1f %9.1f %9.1f %9.1f %6.2f %2d/%-3d %9.1f %17s %9d%n",
                attack.name,
                open,
                before.millis(0.5),
                before.millis(0.95),
                during.millis(0.5),
                during.millis(0.95),
                ratio,
                during.failures + before.failures,
                during.nanos.size() + during.failures,
                during.healthNanos / 1e6,
                memory,
                closings);
        return ratio <= MOST_RATIO && during.failures + before.failures == 0;
    }

    private List<Attack> attacks() {
        byte[] idle = head("GET", "/v1/models", "");
        byte[] headers =
                ("POST " + CHAT + " HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").getBytes(StandardCharsets.US_ASCII);
        byte[] body = join(head("POST", CHAT, "Content-Length: 1000000\r\n"), " ");
        byte[] chunked = head("POST", CHAT, "Transfer-Encoding: chunked\r\n");
        byte[] chunk = ("10000\r\n" + " ".repeat(0x10000) + "\r\n").getBytes(StandardCharsets.US_ASCII);
        byte[] smallChunks = "1\r\n \r\n".repeat(4096).getBytes(StandardCharsets.US_ASCII);
        byte[] gzip = join(head("POST", CHAT, "Content-Encoding: gzip\r\nContent-Length: 1000000\r\n"), "x");
        return List.of(
                new Attack("10,000 idle connections", () -> flood(ONE, 10_000, idle)),
                new Attack("1,000 slow headers", () -> flood(ONE, 1000, headers, "x", 1000)),
                new Attack("1,000 slow bodies of one address", () -> flood(ONE, 1000, body, " ", 1000)),
                new Attack("1,000 slow bodies of 200 addresses", () -> flood(MANY, 1000, body, " ", 1000)),
                new Attack(
                        "1,000 slow bodies of the client's address",
                        () -> flood(List.of(CLIENT), 1000, body, " ", 1000)),
                new Attack("8 endless bodies of 6 MB/s", () -> flood(ONE, 8, chunked, chunk, 10)),
                new Attack("8 endless bodies in chunks of a byte", () -> flood(ONE, 8, chunked, smallChunks, 20)),
                new Attack("64 gzip bodies", () -> flood(ONE, 64, gzip, "x", 1000)),
                pictures("redirects to metadata", 64, url("to-metadata")),
                pictures("redirects to a forbidden address", 64, url("to-canary")),
                pictures("redirects to itself", 64, url("to-itself")),
                pictures("rebinding name", 64, "http://rebind.example:" + host.port() + "/to-itself"),
                pictures("hanging pictures", 64, url("hang")),
                pictures("dripping pictures", 64, url("drip")),
                pictures("endless pictures", 8, url("endless")),
                pictures("gzip pictures", 8, url("gzip")),
                pictures("PNG bombs of 900 megapixels", 8, dataUrl(bomb(30_000))),
                pictures("PNG bombs of 49 megapixels", 8, dataUrl(bomb(7000))));
    }

    private Attack pictures(String name, int count, String url) {
        byte[] request = chat(url, 16, "close");
        return new Attack(count + " " + name, () -> flood(ONE, count, request));
    }

    private Flood flood(List<InetSocketAddress> sources, int count, byte[] opening) {
        return flood(sources, count, opening, NOTHING, 0);
    }

    private Flood flood(List<InetSocketAddress> sources, int count, byte[] opening, String drop, long millis) {
        return flood(sources, count, opening, drop.getBytes(StandardCharsets.US_ASCII), millis);
    }

    private Flood flood(List<InetSocketAddress> sources, int count, byte[] opening, byte[] drop, long millis) {
        return new Flood(loop, sources, server.address(), count, opening, drop, millis);
    }

    /** Chats one after the other, so many and so long at least, and now and then a question about health. */
    private Block block(int least, Duration atLeast) {
        List<Long> nanos = new ArrayList<>();
        int failures = 0;
        long health = 0;
        long end = System.nanoTime() + atLeast.toNanos();
        for (int i = 0; i < least || System.nanoTime() < end; i++) {
            long start = System.nanoTime();
            String answer = exchange(chat);
            if (isOk(answer)) {
                nanos.add(System.nanoTime() - start);
            } else if (failures++ == 0) {
                System.out.println("A chat failed: " + answer.substring(0, Math.min(answer.length(), 1000)));
            }
            if (i % 5 == 0) {
                long asked = System.nanoTime();
                boolean up = isOk(exchange(head("GET", "/actuator/health/readiness", "Connection: close\r\n")));
                health = Math.max(health, up ? System.nanoTime() - asked : Long.MAX_VALUE);
            }
        }
        return new Block(nanos, failures, health);
    }

    private static boolean isOk(String response) {
        return response.startsWith("HTTP/1.1 200 ");
    }

    /** The whole answer, or why there is none, over a connection of its own. */
    private String exchange(byte[] request) {
        try (Socket socket = new Socket()) {
            socket.setSoTimeout(30_000);
            socket.connect(server.address(), 10_000);
            socket.getOutputStream().write(request);
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** Waits until an attack has all the connections that it gets. */
    private static void awaitAll(Flood flood) throws InterruptedException {
        int before = -1;
        for (int i = 0; i < 20 && flood.open() > before; i++) {
            before = flood.open();
            Thread.sleep(2000);
        }
    }

    /** Waits until the connections of an attack are gone. */
    private void settle() throws InterruptedException {
        long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (meter("idefics.connections") > 20 && System.nanoTime() < end) {
            Thread.sleep(200);
        }
        Thread.sleep(1000);
    }

    /** The Java heap after a collection, and all memory of the process, in MB. */
    private String memory() throws IOException, InterruptedException {
        new ProcessBuilder("jcmd", String.valueOf(server.pid()), "GC.run")
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
        String resident = Files.readAllLines(Path.of("/proc/" + server.pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS"))
                .map(line -> line.replaceAll("\\D", ""))
                .findFirst()
                .orElse("0");
        return String.format(
                Locale.ROOT,
                "%8.1f %8.1f",
                meter("jvm.memory.used?tag=area:heap") / 1e6,
                Long.parseLong(resident) / 1e3);
    }

    private double meter(String name) {
        String response = exchange(head("GET", "/actuator/metrics/" + name, "Connection: close\r\n"));
        try {
            JsonNode answer = RunningServer.JSON.readTree(response.substring(response.indexOf("\r\n\r\n") + 4));
            return answer.at("/measurements/0/value").asDouble();
        } catch (IOException | RuntimeException e) {
            return Double.NaN;
        }
    }

    private String url(String path) {
        return "http://" + HostileHost.ADDRESS + ":" + host.port() + "/" + path;
    }

    private static byte[] chat(String picture, int tokens, String connection) {
        ObjectNode request = RunningServer.request(RunningServer.userMessage("What is this?", picture))
                .put("max_tokens", tokens);
        String body = request.toString();
        return join(
                head("POST", CHAT, "Connection: " + connection + "\r\nContent-Length: " + body.length() + "\r\n"),
                body);
    }

    private static byte[] head(String method, String path, String headers) {
        return (method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + headers
                        + "\r\n")
                .getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] join(byte[] head, String body) {
        byte[] end = body.getBytes(StandardCharsets.US_ASCII);
        byte[] all = Arrays.copyOf(head, head.length + end.length);
        System.arraycopy(end, 0, all, head.length, end.length);
        return all;
    }

    private static String picture() {
        return MiniEvaluation.questions().stream()
                .flatMap(question -> question.openAiMessages().findValuesAsText("url").stream())
                .findFirst()
                .orElseThrow();
    }

    /** A picture of one colour. */
    private static byte[] bomb(int side) {
        return TestPictures.png(side, side, 1, 0, new byte[side * (1 + (side + 7) / 8)]);
    }

    private static String dataUrl(byte[] png) {
        return "data:image/png;base64," + Base64.getEncoder().encodeToString(png);
    }

    private static InetSocketAddress source(String address) {
        return new InetSocketAddress(address, 0);
    }
}
