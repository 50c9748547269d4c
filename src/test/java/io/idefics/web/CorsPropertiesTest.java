package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CorsPropertiesTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "*",
                "https://chat.example.com",
                "http://localhost:3000",
                "http://127.0.0.1",
                "https://[::1]:8443"
            })
    void new_origin_isTaken(String origin) {
        assertThat(properties(origin).allowedOrigins()).containsExactly(origin);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "chat.example.com",
                "https://",
                "https://*.example.com",
                "https://chat.example.com/",
                "https://Chat.example.com",
                "ftp://chat.example.com",
                "https://a@chat.example.com",
                "https://chat.example.com:0",
                "https://chat.example.com https://other.example.com"
            })
    void new_whatIsNoOrigin_isRefused(String origin) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> properties(origin))
                .withMessageStartingWith("idefics.web.cors.allowed-origins has '" + origin + "' but an origin must be");
    }

    private static CorsProperties properties(String origin) {
        return new CorsProperties(List.of(origin), Duration.ofHours(1));
    }
}
