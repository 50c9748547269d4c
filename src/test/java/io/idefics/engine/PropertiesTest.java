package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.testing.Settings;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PropertiesTest {

    @Test
    void delay_ofEachRestart_doublesUpToTheLongest() {
        PoolProperties pool = Settings.pool("restart-delay=3s", "max-restart-delay=20s");

        assertThat(pool.delay(0)).isEqualTo(Duration.ofSeconds(3));
        assertThat(pool.delay(1)).isEqualTo(Duration.ofSeconds(6));
        assertThat(pool.delay(2)).isEqualTo(Duration.ofSeconds(12));
        assertThat(pool.delay(3)).isEqualTo(Duration.ofSeconds(20));
        assertThat(pool.delay(1000)).isEqualTo(Duration.ofSeconds(20));
    }

    @ParameterizedTest
    @ValueSource(strings = {"restart-window=0s", "restart-delay=-1s", "max-restart-delay=0s"})
    void pool_timeThatIsNone_isRefused(String setting) {
        assertThatThrownBy(() -> Settings.pool(setting))
                .rootCause()
                .hasMessageMatching("idefics\\.pool\\.[a-z-]+ is PT.*, must be above 0");
    }

    @Test
    void engine_sizes_areReadInBytes() {
        EngineProperties engine = Settings.engine("kv-cache-size=2GB", "image-cache-size=5MB", "latent-cache-size=7KB");

        assertThat(engine.kvCacheBytes()).isEqualTo(2L << 30);
        assertThat(engine.imageCacheBytes()).isEqualTo(5L << 20);
        assertThat(engine.latentCacheBytes()).isEqualTo(7L << 10);
        assertThat(Settings.engine().kvCacheBytes()).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"kv-cache-size=0", "image-cache-size=-1", "latent-cache-size=0", "gpu-memory=0"})
    void engine_sizeOfNothing_isRefused(String setting) {
        assertThatThrownBy(() -> Settings.engine(setting))
                .rootCause()
                .hasMessageMatching("idefics\\.engine\\.[a-z-]+ is -?\\dB, must be above 0");
    }
}
