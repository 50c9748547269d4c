package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.generation.Priority;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ApiKeysTest {

    private static final ClientLimits LIMITS = new ClientLimits(1, 2, 3, 4);

    private final ApiKeys keys = new ApiKeys(List.of(key("a"), key("b"), key("c")));

    @Test
    void hashOf_knownText_isItsSha256() {
        assertThat(ApiKey.hashOf("abc"))
                .isEqualTo("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "b", "c"})
    void find_knownKey_isItsHolder(String name) {
        Caller caller = keys.find(secret(name)).orElseThrow();

        assertThat(caller).isEqualTo(new Caller("key:" + name, Set.of(Scope.INFERENCE), Priority.HIGH, LIMITS, false));
    }

    @Test
    void find_anythingElse_isNobody() {
        String secret = secret("a");

        assertThat(keys.find("")).isEmpty();
        assertThat(keys.find(secret.substring(1))).isEmpty();
        assertThat(keys.find(secret.substring(0, secret.length() - 1))).isEmpty();
        assertThat(keys.find(secret + "x")).isEmpty();
        assertThat(keys.find(secret.toUpperCase(java.util.Locale.ROOT))).isEmpty();
        assertThat(keys.find("a")).isEmpty();
        assertThat(keys.find(ApiKey.hashOf(secret))).isEmpty();
        assertThat(new ApiKeys(List.of()).find(secret)).isEmpty();
    }

    @Test
    void find_otherCharactersThanAscii_areNotTakenForQuestionMarks() {
        ApiKeys odd = new ApiKeys(List.of(ofSecret("odd", "k?y")));

        assertThat(odd.find("k?y")).isPresent();
        assertThat(odd.find("k\u00e9y")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "b", "c", "nobody"})
    void find_anyKey_isComparedWithAllOfTheSameLength(String name) {
        List<Integer> lengths = new ArrayList<>();
        ApiKeys counted = new ApiKeys(List.of(key("a"), key("b"), key("c")), (known, given) -> {
            lengths.add(given.length);
            return MessageDigest.isEqual(known, given);
        });

        counted.find(secret(name));

        assertThat(lengths).containsExactly(32, 32, 32);
    }

    @Test
    void replace_others_areKnownAndTheFirstAreNot() {
        keys.keep("a reason");
        keys.replace(List.of(key("c"), key("d")));

        assertThat(keys.find(secret("a"))).isEmpty();
        assertThat(keys.find(secret("c"))).isPresent();
        assertThat(keys.find(secret("d"))).isPresent();
        assertThat(keys.size()).isEqualTo(2);
        assertThat(keys.problem()).isNull();
    }

    @Test
    void replace_sameNameOrHash_isRefusedAndChangesNothing() {
        assertThatThrownBy(() -> keys.replace(List.of(key("d"), ofSecret("d", "another"))))
                .isInstanceOf(InvalidAccessException.class)
                .hasMessage("Two API keys have the name 'd'.");
        assertThatThrownBy(() -> keys.replace(List.of(key("d"), ofSecret("e", secret("d")))))
                .isInstanceOf(InvalidAccessException.class)
                .hasMessage("The API key 'e' has the hash of another one.");

        assertThat(keys.find(secret("a"))).isPresent();
        assertThat(keys.find(secret("d"))).isEmpty();
    }

    private static String secret(String name) {
        return "sk-secret-of-" + name;
    }

    private static ApiKey key(String name) {
        return ofSecret(name, secret(name));
    }

    private static ApiKey ofSecret(String name, String secret) {
        return new ApiKey(
                name, ApiKey.parseHash(ApiKey.hashOf(secret)), Set.of(Scope.INFERENCE), Priority.HIGH, LIMITS);
    }
}
