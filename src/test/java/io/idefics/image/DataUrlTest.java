package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DataUrlTest {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "data:image/png;base64,aGVsbG8=",
                "DATA:image/PNG;BASE64,aGVsbG8=",
                "data:;base64,aGVsbG8=",
                "data:image/png;charset=utf-8;name=a.png;base64,aGVsbG8=",
                "data:text/html;base64,aGVsbG8=",
                "data:image/png;base64,aGVsbG8"
            })
    void decode_base64_isItsBytes(String url) {
        assertThat(DataUrl.isDataUrl(url)).isTrue();
        assertThat(DataUrl.decode(url, 5, "url")).asString().isEqualTo("hello");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "data:image/png,hello | is not in base64",
                "data:image/png;base64 | has no comma",
                "data:base64,aGVsbG8= | is not in base64",
                "data:,aGVsbG8= | is not in base64",
                "data:image/png;base64, | has no data",
                "data:image/png;base64,==== | has no data",
                "data:image/png;base64,!!!! | is not valid base64",
                "data:image/png;base64,aGVs%62G8= | is not valid base64",
                "data:image/png;base64,aGVsbG8=aGVs | is not valid base64",
                "data:image/png;base64,aGVs bG8= | is not valid base64"
            })
    void decode_malformed_isRefused(String url, String message) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> DataUrl.decode(url, 100, "url"))
                .withMessageContaining("the data URL of the image " + message)
                .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.INVALID_IMAGE_URL))
                .satisfies(e -> assertThat(e.param()).isEqualTo("url"));
    }

    @Test
    void decode_beyondTheLimit_isRefusedByItsLength() {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> DataUrl.decode("data:image/png;base64,!!!!!!!=", 4, "url"))
                .withMessage("the image has 5 bytes; the limit is 4")
                .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.IMAGE_TOO_LARGE));
    }

    @Test
    void decode_longMediaType_isRefused() {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> DataUrl.decode("data:" + "a".repeat(2000) + ";base64,aGVs", 100, "url"))
                .withMessageContaining("has no comma");
    }
}
