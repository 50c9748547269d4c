package io.idefics.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.admission.ApiKey;
import io.idefics.admission.ApiKeys;
import io.idefics.admission.InvalidAccessException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

@ExtendWith(OutputCaptureExtension.class)
class KeyReloaderTest {

    @TempDir
    private Path directory;

    private Path path;
    private KeyFile file;
    private ApiKeys keys;
    private KeyReloader reloader;

    @BeforeEach
    void open() throws IOException {
        path = directory.resolve("keys.yml");
        Files.writeString(path, yaml("a"));
        file = new KeyFile(path.toString());
        byte[] content = file.read();
        keys = new ApiKeys(file.parse(content));
        reloader = new KeyReloader(file, List.of(), content, keys);
    }

    @AfterEach
    void close() {
        reloader.close();
    }

    @Test
    void look_changedFile_isTakenOverWhenTwoLooksSawTheSame() throws IOException {
        Files.writeString(path, yaml("b"));

        reloader.look();
        assertThat(known("a")).isTrue();
        reloader.look();

        assertThat(known("a")).isFalse();
        assertThat(known("b")).isTrue();
    }

    @Test
    void look_halfWrittenFile_isNotTakenOver() throws IOException {
        Files.writeString(path, yaml("a", "b").substring(0, yaml("a").length()));
        reloader.look();
        Files.writeString(path, yaml("b", "a"));
        reloader.look();
        assertThat(keys.size()).isEqualTo(1);

        reloader.look();

        assertThat(keys.size()).isEqualTo(2);
    }

    @Test
    void look_linkThatChanges_isFollowed() throws IOException {
        Path first = Files.writeString(directory.resolve("1.yml"), yaml("a"));
        Path second = Files.writeString(directory.resolve("2.yml"), yaml("b"));
        Files.setLastModifiedTime(second, Files.getLastModifiedTime(first));
        Files.delete(path);
        Files.createSymbolicLink(path, first);
        looks(2);
        assertThat(known("a")).isTrue();

        Files.delete(path);
        Files.createSymbolicLink(path, second);
        looks(2);

        assertThat(known("b")).isTrue();
    }

    @Test
    void look_wrongFile_keepsTheKeysAndSaysSoOnce(CapturedOutput output) throws IOException {
        Files.writeString(path, "keys: []");
        looks(5);

        assertThat(known("a")).isTrue();
        assertThat(keys.problem()).isEqualTo("The key file " + path + ": keys is empty: add a key or remove it.");
        assertThat(output.getAll().lines().filter(line -> line.contains("stay as they are")))
                .hasSize(1);

        Files.writeString(path, yaml("b"));
        looks(2);
        assertThat(known("b")).isTrue();
        assertThat(keys.problem()).isNull();
    }

    @Test
    void look_fileGoneAndBack_isNoProblemAnyMore() throws IOException {
        Files.delete(path);
        looks(3);
        assertThat(known("a")).isTrue();
        assertThat(keys.problem()).isEqualTo("The key file " + path + " does not exist.");

        Files.writeString(path, yaml("a"));
        looks(2);

        assertThat(known("a")).isTrue();
        assertThat(keys.problem()).isNull();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "''|has no keys.",
                "'other: 1'|is wrong: there is no property other.",
                "'keys:'|: keys is empty: add a key or remove it.",
                "'keys: [{name: a, key: sk-secret, hash: x}]'|is wrong: there is no property keys[0].key.",
                "'keys: [{name: a, hash: sk-secret}]'|: keys[0].hash (a) is malformed but must be sha256: and 64"
                        + " hexadecimal digits, as the command 'key' prints it.",
                "'keys: [{name: a, limits: {requests-per-minute: many}}]'|is wrong: keys[0].limits.requests-per-minute is"
                        + " 'many' but must be of the type integer.",
                "'keys: [sk-secret: {'|is not YAML, line 1, column 20.",
                "'keys: sk-secret'|is wrong:",
                "'- sk-secret'|is wrong: there is no property",
                "'sk-secret'|is wrong: there is no property document."
            })
    void parse_wrongFile_isRefusedInOneLineWithoutQuotingSecrets(String content, String message) {
        assertThatThrownBy(() -> file.parse(content.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(InvalidAccessException.class)
                .hasMessageStartingWith("The key file " + path)
                .hasMessageContaining(message)
                .hasMessageNotContaining("sk-secret")
                .hasMessageNotContaining("\n");
    }

    @Test
    void parse_severalDocuments_areRefused() {
        assertThatThrownBy(() -> file.parse((yaml("a") + "---\n" + yaml("b")).getBytes(StandardCharsets.UTF_8)))
                .hasMessageContaining("has 2 documents but may have one.");
    }

    @Test
    void read_tooLargeFile_isRefused() throws IOException {
        Files.write(path, new byte[(1 << 20) + 1]);

        assertThatThrownBy(file::read).hasMessageContaining("has more than 1048576 bytes.");
        assertThatThrownBy(new KeyFile(directory.toString())::read)
                .isInstanceOf(InvalidAccessException.class)
                .hasMessageContaining("cannot be read");
    }

    private void looks(int times) {
        for (int i = 0; i < times; i++) {
            reloader.look();
        }
    }

    private boolean known(String name) {
        return keys.find("secret-" + name).isPresent();
    }

    private static String yaml(String... names) {
        StringBuilder yaml = new StringBuilder("keys:\n");
        for (String name : names) {
            yaml.append("  - {name: ")
                    .append(name)
                    .append(", hash: '")
                    .append(ApiKey.hashOf("secret-" + name))
                    .append("'}\n");
        }
        return yaml.toString();
    }
}
