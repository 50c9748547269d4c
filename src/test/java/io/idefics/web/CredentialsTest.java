package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpHeaders;

class CredentialsTest {

    private final HttpHeaders headers = new HttpHeaders();

    @ParameterizedTest
    @ValueSource(strings = {"Bearer k", "bearer k", "BEARER   k"})
    void of_bearer_isTheKey(String value) {
        headers.set("Authorization", value);

        assertThat(Credentials.of(headers, false)).isEqualTo(new Credentials(true, "k"));
        assertThat(Credentials.of(headers, true)).isEqualTo(new Credentials(true, "k"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "Bearer",
                "Bearer ",
                "Basic k",
                "k",
                "Bearerk",
                "Bearer\tk",
                "Bearer k l",
                "Bearer k, Bearer k",
                "Bearer k\u00e9",
                "Bearer k\u0000",
                " Bearer k",
                "Bearer k\u007f"
            })
    void of_anythingElse_isMalformed(String value) {
        headers.set("Authorization", value);

        assertThat(Credentials.of(headers, false)).isEqualTo(new Credentials(true, null));
    }

    @Test
    void of_twoHeaders_isMalformedEvenIfTheyAreTheSame() {
        headers.addAll("Authorization", List.of("Bearer k", "Bearer k"));

        assertThat(Credentials.of(headers, false)).isEqualTo(new Credentials(true, null));
    }

    @Test
    void of_apiKeyHeader_countsOnlyWhereItIsAccepted() {
        headers.set("X-Api-Key", "k");

        assertThat(Credentials.of(headers, false)).isEqualTo(new Credentials(false, null));
        assertThat(Credentials.of(headers, true)).isEqualTo(new Credentials(true, "k"));
    }

    @Test
    void of_bothHeaders_mustSayTheSame() {
        headers.set("x-api-key", "k");
        headers.set("Authorization", "Bearer k");
        assertThat(Credentials.of(headers, true).key()).isEqualTo("k");

        headers.set("Authorization", "Bearer l");
        assertThat(Credentials.of(headers, true)).isEqualTo(new Credentials(true, null));
        assertThat(Credentials.of(headers, false).key()).isEqualTo("l");
    }

    @Test
    void toString_key_isNotShown() {
        headers.set("Authorization", "Bearer secret");

        assertThat(Credentials.of(headers, false).toString()).doesNotContain("secret");
    }
}
