package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.util.unit.DataSize;

class ImagePropertiesTest {

    /** Properties with the defaults for what is not given. */
    static ImageProperties bind(Map<String, ?> values) {
        return new Binder(new MapConfigurationPropertySource(values))
                .bindOrCreate("idefics.image", ImageProperties.class);
    }

    @Test
    void bind_nothing_hasTheDefaults() {
        ImageProperties properties = bind(Map.of());

        assertThat(properties)
                .isEqualTo(new ImageProperties(
                        DataSize.ofMegabytes(20),
                        50_000_000,
                        32_768,
                        Duration.ofSeconds(3),
                        Duration.ofSeconds(10),
                        3,
                        List.of(),
                        List.of(),
                        List.of(80, 443),
                        true,
                        true,
                        null,
                        Duration.ofSeconds(10),
                        32,
                        null,
                        List.of(),
                        List.of(),
                        List.of(),
                        Duration.ofSeconds(5),
                        DataSize.ofKilobytes(1),
                        8,
                        DataSize.ofMegabytes(64),
                        null,
                        DataSize.ofBytes(0),
                        null));
        assertThat(properties.cacheBytes()).isEqualTo(Runtime.getRuntime().maxMemory() / 16);
        assertThat(properties.decodingBytes())
                .isEqualTo(Math.min(640 << 20, Runtime.getRuntime().maxMemory() / 2));
        assertThat(properties.limits()).isEqualTo(ImageLimits.defaults());
    }

    @Test
    void bind_values_areTaken() {
        ImageProperties properties = bind(Map.of(
                "idefics.image.max-bytes", "1KB",
                "idefics.image.allowed-hosts", "a.test,*.b.test",
                "idefics.image.allowed-ports", "8080",
                "idefics.image.fetch-timeout", "2s"));

        assertThat(properties.maxBytes()).isEqualTo(DataSize.ofKilobytes(1));
        assertThat(properties.allowedHosts()).containsExactly("a.test", "*.b.test");
        assertThat(properties.allowedPorts()).containsExactly(8080);
        assertThat(properties.fetchTimeout()).isEqualTo(Duration.ofSeconds(2));
    }

    @Test
    void bind_zeroTimeout_isRefused() {
        assertThatExceptionOfType(BindException.class)
                .isThrownBy(() -> bind(Map.of("idefics.image.fetch-timeout", "0s")))
                .havingRootCause()
                .withMessage("idefics.image.fetch-timeout is 0; it has to be positive");
    }

    @Test
    void bind_negativeCacheSize_isRefused() {
        assertThatExceptionOfType(BindException.class)
                .isThrownBy(() -> bind(Map.of("idefics.image.cache-size", "-1MB")))
                .havingRootCause()
                .withMessage("idefics.image.cache-size is -1048576B; it cannot be negative");
    }

    @ParameterizedTest
    @CsvSource({
        "first-byte-timeout, 0s, idefics.image.first-byte-timeout is 0; it has to be positive",
        "max-request-bytes, 0B, idefics.image.max-request-bytes is 0; it has to be positive",
        "minimum-rate, -1B, idefics.image.minimum-rate is -1B; it cannot be negative",
        "fetch-cache-size, -1B, idefics.image.fetch-cache-size is -1B; it cannot be negative",
        "user-agent, '\u00e4', idefics.image.user-agent may have printable ASCII characters only"
    })
    void bind_wrongValue_isRefused(String key, String value, String message) {
        assertThatExceptionOfType(BindException.class)
                .isThrownBy(() -> bind(Map.of("idefics.image." + key, value)))
                .havingRootCause()
                .withMessage(message);
    }
}
