package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationException;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;

/** Hosts with certificates, sound and not; they are public by name and on the loopback in fact. */
class FetchTlsTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final char[] PASSWORD = "changeit".toCharArray();

    private final FakeNetwork network = new FakeNetwork(this::place).trusting(authorities());

    private int port;
    private @Nullable DisposableServer server;

    private InetSocketAddress place(InetSocketAddress wanted) {
        return new InetSocketAddress("127.0.0.9", port);
    }

    @AfterEach
    void stop() {
        if (server != null) {
            server.disposeNow();
        }
        network.close();
    }

    @Test
    void fetch_trustedCertificateOfTheName_isFetched() {
        serve("good");

        assertThat(fetch("https://good.test/a.png")).isEqualTo("picture");
        assertThat(network.lookups()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource({
        "self-signed, https://good.test/a.png",
        "expired, https://good.test/a.png",
        "good, https://other.test/a.png",
        "good, https://93.184.216.34/a.png"
    })
    void fetch_wrongCertificate_isRefused(String certificate, String url) {
        serve(certificate);

        assertThat(fetch(url)).isEqualTo("javax.net.ssl.SSLHandshakeException");
    }

    @Test
    void fetch_serverOfOldTls_isRefused() throws IOException {
        // a record of TLS 1.0 with a ServerHello of TLS 1.0: random, no session, TLS_RSA_WITH_AES_128_CBC_SHA
        String serverHello = "160301002a" + "02000026" + "0301" + "00".repeat(32) + "00" + "002f" + "00";
        try (ServerSocket old = listen(HexFormat.of().parseHex(serverHello))) {
            assertThat(fetch("https://good.test/a.png")).startsWith("javax.net.ssl.SSL");
        }
    }

    @Test
    void fetch_handshakeThatHangs_endsInTime() throws IOException {
        try (ServerSocket silent = listen(new byte[0])) {
            assertThat(fetch("https://good.test/a.png", "500ms")).isEqualTo("no answer in time");
        }
    }

    @Test
    void fetch_plainServerForHttps_isRefused() throws IOException {
        try (ServerSocket plain = listen("HTTP/1.1 200 OK\r\n\r\n".getBytes(StandardCharsets.US_ASCII))) {
            assertThat(fetch("https://good.test/a.png")).startsWith("io.netty.handler.ssl.NotSslRecordException");
        }
    }

    private void serve(String certificate) {
        server = HttpServer.create()
                .host("127.0.0.9")
                .port(0)
                .secure(spec -> spec.sslContext(context(certificate)))
                .handle((request, response) -> response.sendString(Mono.just("picture")))
                .bindNow();
        port = server.port();
    }

    private static io.netty.handler.ssl.SslContext context(String certificate) {
        try (InputStream in = resource(certificate + ".p12")) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(in, PASSWORD);
            KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            keys.init(store, PASSWORD);
            return SslContextBuilder.forServer(keys).build();
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException(certificate, e);
        }
    }

    private static TrustManagerFactory authorities() {
        try (InputStream in = resource("authority.pem")) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setCertificateEntry(
                    "authority", CertificateFactory.getInstance("X.509").generateCertificate(in));
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            return trust;
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static InputStream resource(String name) {
        return Objects.requireNonNull(FetchTlsTest.class.getResourceAsStream("/tls/" + name), name);
    }

    /** A server that says these bytes to one connection and then nothing. */
    private ServerSocket listen(byte[] greeting) throws IOException {
        ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.9"));
        port = socket.getLocalPort();
        Thread thread = new Thread(() -> {
            try (Socket connection = socket.accept()) {
                connection.getInputStream().read();
                connection.getOutputStream().write(greeting);
                connection.getOutputStream().flush();
                while (connection.getInputStream().read() >= 0) {
                    // until the client has had enough
                }
            } catch (IOException e) {
                // closed
            }
        });
        thread.setDaemon(true);
        thread.start();
        return socket;
    }

    private String fetch(String url) {
        return fetch(url, "15s");
    }

    /** The picture, or the root of what went wrong. */
    private String fetch(String url, String timeout) {
        network.put("good.test", "93.184.216.34");
        network.put("other.test", "93.184.216.34");
        ImageFetcher fetcher = new ImageFetcher(
                ImagePropertiesTest.bind(
                        Map.of("idefics.image.first-byte-timeout", timeout, "idefics.image.fetch-timeout", "15s")),
                "1",
                new SimpleMeterRegistry(),
                network.network());
        try {
            return new String(
                    Objects.requireNonNull(
                            fetcher.fetch(new ImageRef(url, "url")).block(PATIENCE)),
                    StandardCharsets.UTF_8);
        } catch (GenerationException e) {
            assertThat(e).hasMessageStartingWith("the image could not be fetched: its host is unknown");
            Throwable cause = Objects.requireNonNull(e.getCause()).getCause();
            return cause instanceof SSLException
                    ? cause.getClass().getName()
                    : String.valueOf(e.getCause().getMessage());
        }
    }
}
