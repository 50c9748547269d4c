package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.admission.AccessProperties.KeyProperties;
import io.idefics.generation.Priority;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AccessPropertiesTest {

    private static final String HASH = ApiKey.hashOf("secret");

    @Test
    void inlineKeys_wholeKey_isRead() {
        ClientLimits limits = new ClientLimits(1, null, 3, null);
        AccessProperties properties = properties(
                null, List.of(new KeyProperties("team-a", HASH, List.of("admin", "Inference"), "HIGH", limits)));

        ApiKey key = properties.inlineKeys().get(0);

        assertThat(key.name()).isEqualTo("team-a");
        assertThat(key.hash()).isEqualTo(ApiKey.digest("secret"));
        assertThat(key.scopes()).isEqualTo(Set.of(Scope.ADMIN, Scope.INFERENCE));
        assertThat(key.priority()).isEqualTo(Priority.HIGH);
        assertThat(key.limits()).isEqualTo(limits);
    }

    @Test
    void inlineKeys_notConfigured_areNone() {
        assertThat(properties(null, null).inlineKeys()).isEmpty();
        assertThat(properties(null, null).hasKeys()).isFalse();
    }

    @Test
    void inlineKeys_emptyList_isRefused() {
        AccessProperties empty = properties(null, List.of());

        assertThat(empty.hasKeys()).isTrue();
        assertThatThrownBy(empty::inlineKeys)
                .isInstanceOf(InvalidAccessException.class)
                .hasMessage("idefics.access.keys is empty: add a key or remove it.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "-a", "a b", "a\nb", "t\u00e9am", "a/b"})
    void inlineKeys_badName_isRefusedByIt(String name) {
        assertRefused(
                new KeyProperties(name, HASH, List.of("inference"), "normal", ClientLimits.NONE_OF_ITS_OWN),
                "idefics.access.keys[0].name is '" + name
                        + "' but must have 1 to 64 letters, digits, dots, dashes or underscores.");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "sk-idefics-secret",
                "sha256:",
                "sha256:ba7816",
                "SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ax",
                "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            })
    void inlineKeys_badHash_isRefusedWithoutQuotingIt(String hash) {
        assertRefused(
                new KeyProperties("a", hash, List.of("inference"), "normal", ClientLimits.NONE_OF_ITS_OWN),
                "idefics.access.keys[0].hash (a) is malformed but must be sha256: and 64 hexadecimal digits, as the command"
                        + " 'key' prints it.");
    }

    @Test
    void inlineKeys_otherMistakes_areRefusedByPropertyAndValue() {
        assertRefused(
                new KeyProperties(null, HASH, List.of("inference"), "normal", ClientLimits.NONE_OF_ITS_OWN),
                "idefics.access.keys[0].name is missing but must have 1 to 64 letters, digits, dots, dashes or"
                        + " underscores.");
        assertRefused(
                new KeyProperties("a", null, List.of("inference"), "normal", ClientLimits.NONE_OF_ITS_OWN),
                "idefics.access.keys[0].hash (a) is missing but must be sha256: and 64 hexadecimal digits, as the command"
                        + " 'key' prints it.");
        assertRefused(
                new KeyProperties("a", HASH, List.of(), "normal", ClientLimits.NONE_OF_ITS_OWN),
                "idefics.access.keys[0].scopes is empty but must name inference, admin.");
        assertRefused(
                new KeyProperties("a", HASH, List.of("inference", "root"), "normal", ClientLimits.NONE_OF_ITS_OWN),
                "idefics.access.keys[0].scopes has 'root' but must be of inference, admin.");
        assertRefused(
                new KeyProperties("a", HASH, List.of("inference"), "urgent", ClientLimits.NONE_OF_ITS_OWN),
                "idefics.access.keys[0].priority has 'urgent' but must be of low, normal, high.");
        assertRefused(
                new KeyProperties("a", HASH, List.of("inference"), "normal", new ClientLimits(null, -5, null, null)),
                "idefics.access.keys[0].limits.tokens-per-minute is -5 but must lie between 0, for no limit, and 1000000000.");
    }

    @Test
    void new_blankKeyFile_isRefused() {
        assertThatThrownBy(() -> new AccessProperties(null, null, " ", Duration.ofSeconds(1), true, false))
                .isInstanceOf(InvalidAccessException.class)
                .hasMessageContaining("idefics.access.key-file is empty");
    }

    @ParameterizedTest
    @CsvSource({
        // required?, keys?, loopback?, is required, anonymous may, for local names only
        ", false, true, false, 'ADMIN,INFERENCE', true",
        ", true, true, true, '', false",
        ", true, false, true, '', false",
        "true, true, true, true, '', false",
        "false, false, true, false, 'ADMIN,INFERENCE', false",
        "false, false, false, false, INFERENCE, false",
        "false, true, true, false, INFERENCE, false",
        "false, true, false, false, INFERENCE, false"
    })
    void policy_servers_areOpenOnlyWhereAskedForOrOnLoopback(
            Boolean asked, boolean hasKeys, boolean loopback, boolean required, String anonymous, boolean local) {
        AccessProperties properties = properties(asked, hasKeys ? List.of() : null);

        AccessPolicy policy = AccessPolicy.of(properties, "0.0.0.0", loopback);

        assertThat(policy.required()).isEqualTo(required);
        assertThat(policy.hasKeys()).isEqualTo(hasKeys);
        assertThat(policy.anonymousScopes().stream().map(Enum::name).sorted().toList())
                .isEqualTo(anonymous.isEmpty() ? List.of() : List.of(anonymous.split(",")));
        assertThat(policy.localNamesOnly()).isEqualTo(local);
    }

    @Test
    void policy_requiredWithoutKeys_isRefusedWithBothCures() {
        assertThatThrownBy(() -> AccessPolicy.of(properties(null, null), "0.0.0.0", false))
                .isInstanceOf(InvalidAccessException.class)
                .hasMessageContaining("listen on 0.0.0.0 without any API key")
                .hasMessageContaining("java -jar idefics-server.jar key --name NAME")
                .hasMessageContaining("idefics.access.require-keys=false");
        assertThatThrownBy(() -> AccessPolicy.of(properties(true, null), "127.0.0.1", true))
                .hasMessageContaining("idefics.access.require-keys is true");
        assertThatThrownBy(() -> AccessPolicy.of(
                        new AccessProperties(null, null, null, Duration.ofSeconds(1), true, true), "127.0.0.1", true))
                .hasMessageContaining("idefics.access.management-keys is true");
    }

    private static void assertRefused(KeyProperties key, String message) {
        assertThatThrownBy(properties(null, List.of(key))::inlineKeys)
                .isInstanceOf(InvalidAccessException.class)
                .hasMessage(message);
    }

    private static AccessProperties properties(Boolean requireKeys, List<KeyProperties> keys) {
        return new AccessProperties(requireKeys, keys, null, Duration.ofSeconds(1), true, false);
    }
}
