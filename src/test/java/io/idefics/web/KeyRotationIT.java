package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.admission.ApiKey;
import io.idefics.admission.ApiKeys;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** Keys come and go while clients ask: who holds a key that stays is never refused, and nobody else is ever let in. */
class KeyRotationIT extends WebServerTest {

    private static final String STAYS = "sk-test-stays";
    private static final int CLIENTS = 4;
    private static final int ROTATIONS = 8;

    @TempDir
    private static Path directory;

    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @Autowired
    private ApiKeys keys;

    @DynamicPropertySource
    static void addKeyFile(DynamicPropertyRegistry properties) {
        publish("first");
        properties.add(
                "idefics.access.key-file", () -> directory.resolve("keys.yml").toString());
        properties.add("idefics.access.reload-interval", () -> "20ms");
    }

    @BeforeEach
    void publishFirst() {
        publish("first");
        await().atMost(PATIENCE).until(() -> known("first"));
    }

    @Test
    void rotation_underLoad_refusesNobodyWhoseKeyStays() throws Exception {
        Map<Integer, AtomicInteger> seen = new ConcurrentHashMap<>();
        Map<Integer, AtomicInteger> ofStrangers = new ConcurrentHashMap<>();
        AtomicBoolean done = new AtomicBoolean();
        List<Thread> clients = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            boolean stranger = i == 0;
            Thread client = new Thread(() -> {
                while (!done.get()) {
                    (stranger ? ofStrangers : seen)
                            .computeIfAbsent(ask(stranger ? "sk-test-stranger" : STAYS), status -> new AtomicInteger())
                            .incrementAndGet();
                }
            });
            client.start();
            clients.add(client);
        }
        try {
            for (int i = 0; i < ROTATIONS; i++) {
                String name = "round-" + i;
                publish(name);
                await().atMost(PATIENCE).until(() -> known(name));
                assertThat(ask("sk-test-" + name)).isEqualTo(200);
                assertThat(ask("sk-test-round-" + (i - 1))).isEqualTo(401);
            }
        } finally {
            done.set(true);
            for (Thread client : clients) {
                client.join(PATIENCE.toMillis());
            }
        }

        assertThat(seen).containsOnlyKeys(200);
        assertThat(ofStrangers).containsOnlyKeys(401);
        assertThat(seen.get(200).get()).isGreaterThan(ROTATIONS);
    }

    @Test
    void rotation_toAWrongFile_keepsTheKeys() throws IOException {
        Files.writeString(directory.resolve("keys.yml"), "keys: [{name: open, hash: nothing}]");
        await().atMost(PATIENCE).until(() -> keys.problem() != null);

        assertThat(ask(STAYS)).isEqualTo(200);
        assertThat(ask("sk-test-stranger")).isEqualTo(401);

        Files.delete(directory.resolve("keys.yml"));
        await().atMost(PATIENCE).until(() -> String.valueOf(keys.problem()).contains("does not exist"));
        assertThat(ask(STAYS)).isEqualTo(200);
        assertThat(ask("sk-test-stranger")).isEqualTo(401);
    }

    private boolean known(String name) {
        return keys.find("sk-test-" + name).isPresent() && keys.problem() == null;
    }

    private int ask(String key) {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://localhost:" + port + "/v1/models"))
                .header("Authorization", "Bearer " + key)
                .timeout(PATIENCE)
                .build();
        return CLIENT.sendAsync(request, BodyHandlers.discarding()).join().statusCode();
    }

    /** Puts a file with the key that stays and another one in place of the one before. */
    private static void publish(String name) {
        try {
            Path next = Files.writeString(
                    directory.resolve("next.yml"),
                    "keys:\n  - {name: stays, hash: '" + ApiKey.hashOf(STAYS) + "'}\n  - {name: " + name + ", hash: '"
                            + ApiKey.hashOf("sk-test-" + name) + "'}\n");
            Files.move(
                    next,
                    directory.resolve("keys.yml"),
                    StandardCopyOption.REPLACE_EXISTING,
                    StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
