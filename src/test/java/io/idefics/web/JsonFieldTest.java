package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonFieldTest {

    @ParameterizedTest
    @CsvSource({
        "'a\nb', a\\u000ab",
        "'a\u001b[2J', a\\u001b[2J",
        "'a\u202eb', a\\u202eb",
        "'a\u2028b', a\\u2028b",
        "'a\ud800', a\\ud800",
        "'Bär 😀', Bär 😀"
    })
    void shorten_whatMustNotReachATerminal_isEscaped(String given, String shown) {
        assertThat(JsonField.shorten(given)).isEqualTo(shown);
        assertThat(JsonField.shorten(given + "x".repeat(100))).startsWith(shown).endsWith("characters)");
    }
}
