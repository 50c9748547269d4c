package io.idefics.keys;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.admission.AccessProperties.KeyProperties;
import io.idefics.admission.ApiKey;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.yaml.snakeyaml.Yaml;

class KeyCommandTest {

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void run_name_printsAKeyAndWhatToConfigureForIt() {
        assertThat(run("", "--name", "team-a", "--scope", "inference,ADMIN")).isZero();

        String key = key();
        assertThat(key).matches("sk-idefics-[A-Za-z0-9_-]{43}");
        String yaml = text().substring(text().indexOf("keys:\n"));
        assertThat(new Yaml().<Map<String, Object>>load(yaml))
                .isEqualTo(Map.of(
                        "keys",
                        List.of(Map.of(
                                "name", "team-a",
                                "hash", ApiKey.hashOf(key),
                                "scopes", List.of("inference", "admin")))));
        assertThat(yaml).doesNotContain(key);
        assertThat(err.size()).isZero();
    }

    @Test
    void run_twice_printsDifferentKeysForInference() {
        run("", "--name", "a");
        String first = key();
        out.reset();
        run("", "--name", "a");

        assertThat(key()).isNotEqualTo(first);
        assertThat(text()).contains("scopes: [inference]");
    }

    @Test
    void run_hash_readsTheKeyAndPrintsItsHashAlone() {
        String key = "k".repeat(32);

        assertThat(run(key + "\n", "--hash")).isZero();

        assertThat(text()).isEqualTo(ApiKey.hashOf(key) + System.lineSeparator());
        KeyProperties bound = new Binder(
                        new MapConfigurationPropertySource(Map.of("key.name", "a", "key.hash", text().strip())))
                .bind("key", KeyProperties.class)
                .get();
        assertThat(bound.hash()).isEqualTo(ApiKey.hashOf(key));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "\n",
                "short\n",
                "with a space and long enough to be a key\n",
                "k\u00e9y-k\u00e9y-k\u00e9y-k\u00e9y-k\u00e9y-k\u00e9y-k\u00e9y-k\u00e9y\n"
            })
    void run_hashOfWhatIsNoKey_isRefusedWithoutQuotingIt(String given) {
        assertThat(run(given, "--hash")).isEqualTo(2);

        assertThat(out.size()).isZero();
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("The key ").doesNotContain("short", "with a");
    }

    @Test
    void run_wrongArguments_areExplained() {
        assertThat(run("")).isEqualTo(2);
        assertThat(run("", "--name", "a b")).isEqualTo(2);
        assertThat(run("", "--name", "a", "--hash")).isEqualTo(2);
        assertThat(run("", "--name", "a", "--scope", "root")).isEqualTo(2);
        assertThat(out.size()).isZero();
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("--name or --hash", "'a b'", "exclude", "root");
    }

    private int run(String in, String... arguments) {
        return KeyCommand.run(
                arguments,
                new ByteArrayInputStream(in.getBytes(StandardCharsets.UTF_8)),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    private String text() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String key() {
        return text().lines().filter(line -> line.startsWith("sk-")).findFirst().orElseThrow();
    }
}
