package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationException;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Fetching through a proxy on the loopback, which answers http itself and grants no tunnels. */
class FetchProxyTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final FakeNetwork network = new FakeNetwork();
    private final Queue<String> heads = new ConcurrentLinkedQueue<>();

    private ServerSocket proxy;

    @BeforeEach
    void start() throws IOException {
        network.put("proxy.test", "127.0.0.9");
        proxy = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.9"));
        Thread thread = new Thread(this::serve);
        thread.setDaemon(true);
        thread.start();
    }

    @AfterEach
    void stop() throws IOException {
        proxy.close();
        network.close();
    }

    private void serve() {
        while (!proxy.isClosed()) {
            try (Socket connection = proxy.accept()) {
                StringBuilder head = new StringBuilder();
                while (head.indexOf("\r\n\r\n") < 0) {
                    head.append((char) connection.getInputStream().read());
                }
                heads.add(head.toString());
                String answer = head.indexOf("CONNECT") == 0
                        ? "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
                        : head.indexOf("/moved") > 0
                                ? "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n"
                                : "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\npicture";
                connection.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
            } catch (IOException e) {
                // closed
            }
        }
    }

    @Test
    void fetch_http_sendsTheWholeUrlAndLooksNothingUp() {
        assertThat(fetch("http://good.test/a%2Fb?c=d")).isEqualTo("picture");

        String head = heads.remove();
        assertThat(head).startsWith("GET http://good.test/a%2Fb?c=d HTTP/1.1\r\n");
        assertThat(head.toLowerCase(Locale.ROOT))
                .contains("host: good.test\r\n")
                .containsOnlyOnce("host:")
                .doesNotContain("proxy-authorization");
        assertThat(network.lookups()).as("that of the proxy").isEqualTo(1);
    }

    @Test
    void fetch_https_asksForATunnel() {
        assertThatExceptionOfType(GenerationException.class).isThrownBy(() -> fetch("https://good.test/a.png"));

        assertThat(heads.remove()).startsWith("CONNECT good.test:443 HTTP/1.1\r\n");
        assertThat(network.lookups()).as("that of the proxy").isEqualTo(1);
    }

    @Test
    void fetch_credentials_areSentToTheProxy() {
        String url = "http://user:pass@proxy.test:" + proxy.getLocalPort();

        assertThat(fetch("http://good.test/", "proxy", url)).isEqualTo("picture");
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> fetch("https://good.test/", "proxy", url));

        assertThat(heads).hasSize(2).allSatisfy(head -> assertThat(head.toLowerCase(Locale.ROOT))
                .contains("proxy-authorization: basic dxnlcjpwyxnz\r\n"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://10.0.0.1/",
                "http://169.254.169.254/latest/meta-data/",
                "http://[::1]/",
                "http://[::ffff:7f00:1]/",
                "https://127.0.0.1/",
                "http://localhost/",
                "http://foo.localhost/",
                "http://metadata.google.internal/",
                "http://good.test:6379/",
                "http://denied.test/"
            })
    void fetch_whatIsNotAllowed_isNotSentToTheProxy(String url) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> fetch(url, "denied-hosts", "denied.test"));

        assertThat(heads).isEmpty();
    }

    @Test
    void fetch_redirectToAPrivateAddress_isNotFollowed() {
        assertThatExceptionOfType(GenerationException.class).isThrownBy(() -> fetch("http://good.test/moved"));

        assertThat(heads).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"https://proxy:3128", "proxy:3128", "http://proxy:3128/path", "socks5://proxy"})
    void create_otherProxy_isRefused(String proxy) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> fetch("http://good.test/", "proxy", proxy))
                .withMessage("idefics.image.proxy must be a URL such as http://proxy:3128");
    }

    private String fetch(String url, String... keysAndValues) {
        Map<String, String> values = new HashMap<>();
        values.put("idefics.image.proxy", "http://proxy.test:" + proxy.getLocalPort());
        for (int i = 0; i < keysAndValues.length; i += 2) {
            values.put("idefics.image." + keysAndValues[i], keysAndValues[i + 1]);
        }
        byte[] bytes = new ImageFetcher(
                        ImagePropertiesTest.bind(values), "1", new SimpleMeterRegistry(), network.network())
                .fetch(new ImageRef(url, "url"))
                .block(PATIENCE);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
