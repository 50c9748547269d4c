package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SchedulerRandomWalkTest {

    private static final int STEPS = 100_000;

    /** Some seeds that stay, and one that nobody has tried. */
    static LongStream seeds() {
        return LongStream.concat(LongStream.rangeClosed(1, 4), LongStream.of(new Random().nextLong()));
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void schedule_randomWalk_keepsInvariants(long seed) {
        SchedulerWalk walk = new SchedulerWalk(seed);

        try {
            walk.run(STEPS);
        } catch (AssertionError e) {
            throw new AssertionError("Seed " + seed + ": " + e.getMessage(), e);
        }

        // A walk in which nothing happens shows nothing.
        assertThat(walk.finished).as("finished, seed %d", seed).isGreaterThan(2000);
        assertThat(walk.scheduler().preemptions())
                .as("preemptions, seed %d", seed)
                .isGreaterThan(100);
        assertThat(walk.prefixes().evictions())
                .as("evicted blocks, seed %d", seed)
                .isGreaterThan(1000);
        assertThat(walk.prefixes().hitTokens()).as("hit tokens, seed %d", seed).isGreaterThan(1000);
        assertThat(walk.prefixes().duplicates())
                .as("duplicate blocks, seed %d", seed)
                .isGreaterThan(10);
    }
}
