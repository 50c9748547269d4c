package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TopTokensTest {

    private final TopTokens top = new TopTokens();

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 100, 999, 1_000, 5_000})
    void select_randomLogits_areTheFirstOfTheSortedOnes(int count) {
        Random random = new Random(count);
        for (int round = 0; round < 20; round++) {
            float[] logits = new float[1_000];
            for (int id = 0; id < logits.length; id++) {
                // Few values, so that there are ties, also between both zeros and at negative infinity.
                logits[id] = random.nextInt(10) == 0 ? Float.NEGATIVE_INFINITY : (random.nextInt(40) - 20) * 0.5f;
                logits[id] = logits[id] == 0 && random.nextBoolean() ? -0f : logits[id];
            }

            top.select(logits, count);

            int[] expected = IntStream.range(0, logits.length)
                    .boxed()
                    .sorted(Comparator.<Integer>comparingDouble(id -> -(logits[id] + 0f))
                            .thenComparing(Comparator.naturalOrder()))
                    .limit(count)
                    .mapToInt(Integer::intValue)
                    .toArray();
            assertThat(top.ids()).isEqualTo(expected);
            assertThat(top.smallest()).isEqualTo(logits[expected[expected.length - 1]] + 0f);
        }
    }
}
