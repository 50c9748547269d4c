package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SchedulerRandomWalkTest {

    private static final int STEPS = 100_000;

    /** Walks that stay as they are, so what happens in them can be counted. */
    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4})
    void schedule_fixedSeed_keepsInvariants(long seed) {
        SchedulerWalk walk = walk(seed);
        assertThat(walk.finished).as("finished").isGreaterThan(10_000);
        assertThat(walk.refused).as("refused").isGreaterThan(1000);
        assertThat(walk.tooLarge).as("too large").isGreaterThan(100);
        assertThat(walk.cancelled).as("cancelled").isGreaterThan(1000);
        assertThat(walk.expired).as("expired").isGreaterThan(100);
        assertThat(walk.encodingFailures).as("failed encodings").isGreaterThan(100);
        assertThat(walk.projectionFailures).as("failed projections").isGreaterThan(10);
        assertThat(walk.stepFailures).as("failed steps").isGreaterThan(1000);
        assertThat(walk.toldPrompts).as("told prompts").isGreaterThan(1000);
        assertThat(walk.scheduler().preemptions()).as("preemptions").isGreaterThan(100);
        assertThat(walk.outOfTurn)
                .as("admitted before others of higher priority")
                .isGreaterThan(100);
        assertThat(walk.prefixes().evictions()).as("evicted blocks").isGreaterThan(10_000);
        assertThat(walk.prefixes().hitTokens()).as("hit tokens").isGreaterThan(10_000);
        assertThat(walk.prefixes().missTokens()).as("missed tokens").isGreaterThan(10_000);
        assertThat(walk.prefixes().duplicates()).as("duplicate blocks").isGreaterThan(100);
        assertThat(walk.images().imageEvictions()).as("evicted pictures").isGreaterThan(1000);
        assertThat(walk.images().latentEvictions()).as("evicted latents").isGreaterThan(1000);
        assertThat(walk.images().residentHits()).as("pictures found").isGreaterThan(1000);
        assertThat(walk.images().latentHits()).as("latents found").isGreaterThan(100);
    }

    /** A walk with little memory: prompts lose it while they are told, and go on where they were. */
    @Test
    void schedule_muchPreemption_tellsPromptsToTheirEnd() {
        SchedulerWalk walk = walk(1);

        assertThat(walk.scheduler().preemptions()).isGreaterThan(1000);
        assertThat(walk.interrupted).as("preempted while they were told").isGreaterThan(20);
    }

    /** A walk that nobody has tried. */
    @Test
    void schedule_freshSeed_keepsInvariants() {
        assertThat(walk(new Random().nextLong()).finished).as("finished").isPositive();
    }

    private static SchedulerWalk walk(long seed) {
        SchedulerWalk walk = new SchedulerWalk(seed);
        try {
            walk.run(STEPS);
            return walk;
        } catch (AssertionError e) {
            throw new AssertionError("Seed " + seed + ": " + e.getMessage(), e);
        }
    }
}
