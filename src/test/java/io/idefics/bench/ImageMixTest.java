package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.bench.ImageMix.Share;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageMixTest {

    @Test
    void parse_number_isTheOnlyShare() {
        assertThat(ImageMix.parse("4").shares()).containsExactly(new Share(4, 1));
    }

    @Test
    void parse_mix_isTextOneAndMany() {
        assertThat(ImageMix.parse("mix").shares())
                .containsExactly(new Share(0, 0.25), new Share(1, 0.5), new Share(4, 0.25));
        assertThat(ImageMix.parse("mix").most()).isEqualTo(4);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "-1", "1:", "1:0", "1:-1", "1:NaN", "1:Infinity", "1,", "1001", "1:2:3"})
    void parse_malformed_isRefused(String text) {
        assertThatThrownBy(() -> ImageMix.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("'" + text + "' is not");
    }

    @Test
    void draw_sharesThatAddUpToFour_keepsThem() {
        ImageMix mix = ImageMix.parse("0:1,1:2,4:1");
        SplittableRandom random = new SplittableRandom(1);
        Map<Integer, Integer> counts = new HashMap<>();
        for (int i = 0; i < 10_000; i++) {
            counts.merge(mix.draw(random), 1, Integer::sum);
        }
        assertThat(counts).containsOnlyKeys(0, 1, 4);
        assertThat(counts.get(0)).isBetween(2_300, 2_700);
        assertThat(counts.get(1)).isBetween(4_700, 5_300);
    }
}
