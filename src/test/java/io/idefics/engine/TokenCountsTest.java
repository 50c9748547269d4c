package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TokenCountsTest {

    @Test
    void addGenerated_manyDifferentTokens_countsEachOfThem() {
        TokenCounts counts = new TokenCounts();
        counts.addPrompt(new int[] {0, 1, 2});

        for (int round = 0; round < 2; round++) {
            IntStream.range(2, 1_000).forEach(counts::addGenerated);
        }

        assertThat(counts.size()).isEqualTo(1_000);
        assertThat(IntStream.range(0, 1_000).map(counts::id).toArray())
                .isEqualTo(IntStream.range(0, 1_000).toArray());
        assertThat(IntStream.range(0, 2).map(counts::generated)).containsOnly(0);
        assertThat(IntStream.range(2, 1_000).map(counts::generated)).containsOnly(2);
    }
}
