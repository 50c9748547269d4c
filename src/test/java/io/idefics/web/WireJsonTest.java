package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WireJsonTest {

    private final WireJson json = new WireJson(100);

    @Test
    void readObject_object_keepsItsText() {
        assertThat(read("{\"a\":\"é€🟥\\ud83d\\udfe5\"}").get("a").textValue()).isEqualTo("é€🟥🟥");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ff", "c0af", "e282", "edafbdedbc80", "f4908080", "f8888080", "80", "c3"})
    void readObject_malformedUtf8_isRefused(String hex) {
        byte[] middle = HexFormat.of().parseHex(hex);
        byte[] body = new byte[middle.length + 8];
        System.arraycopy("{\"a\":\"".getBytes(StandardCharsets.UTF_8), 0, body, 0, 6);
        System.arraycopy(middle, 0, body, 6, middle.length);
        System.arraycopy("\"}".getBytes(StandardCharsets.UTF_8), 0, body, 6 + middle.length, 2);

        assertThatThrownBy(() -> json.readObject(body))
                .isInstanceOf(GenerationException.class)
                .hasMessage("The body is not valid UTF-8.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-16", "UTF-16LE", "UTF-32"})
    void readObject_otherEncoding_isRefused(String charset) {
        byte[] body = "{\"a\":1}".getBytes(Charset.forName(charset));

        assertThatThrownBy(() -> json.readObject(body)).isInstanceOf(GenerationException.class);
    }

    @Test
    void readObject_depthOfLimit_isTheLast() {
        assertThat(read(nested(63)).isObject()).isTrue();
        assertThatThrownBy(() -> read(nested(64))).hasMessageStartingWith("The body exceeds a limit of JSON");
    }

    @Test
    void readObject_stringOfLimit_isTheLast() {
        assertThat(read("{\"a\":\"" + "x".repeat(100) + "\"}").isObject()).isTrue();
        assertThatThrownBy(() -> read("{\"a\":\"" + "x".repeat(100_000) + "\"}"))
                .hasMessageStartingWith("The body exceeds a limit of JSON");
    }

    @Test
    void readObject_manyTokens_areRefused() {
        assertThatThrownBy(() -> read("{\"a\":[" + "0,".repeat(100_000) + "0]}"))
                .hasMessageStartingWith("The body exceeds a limit of JSON");
    }

    @Test
    void readObject_syntaxError_saysWhere() {
        assertThatThrownBy(() -> read("{\n \"a\":,}"))
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.INVALID_VALUE))
                .hasMessageMatching("The body is not valid JSON at line 2, column [67]\\.");
    }

    @Test
    void write_textBeyondTheFirstPlane_isNotEscaped() {
        assertThat(new String(json.write(Map.of("a", "🟥")), StandardCharsets.UTF_8))
                .isEqualTo("{\"a\":\"🟥\"}");
    }

    private com.fasterxml.jackson.databind.JsonNode read(String text) {
        return json.readObject(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String nested(int arrays) {
        return "{\"a\":" + "[".repeat(arrays) + "]".repeat(arrays) + "}";
    }
}
