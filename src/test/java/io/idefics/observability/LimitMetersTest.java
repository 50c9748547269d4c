package io.idefics.observability;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.admission.Caller;
import io.idefics.admission.ClientLimits;
import io.idefics.admission.Limits;
import io.idefics.admission.LimitsProperties;
import io.idefics.generation.Priority;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LimitMetersTest {

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

    @Test
    void bindTo_manyCallersRefused_addNoMeters() {
        try (Limits limits = limits(null)) {
            new LimitMeters(limits).bindTo(registry);
            int meters = registry.getMeters().size();

            for (int i = 0; i < 100; i++) {
                Caller caller =
                        new Caller("address:" + i, Set.of(), Priority.NORMAL, ClientLimits.NONE_OF_ITS_OWN, true);
                limits.request(caller).toCompletableFuture().join().refusal();
                limits.request(caller).toCompletableFuture().join().refusal();
            }

            assertThat(registry.getMeters()).hasSize(meters).hasSize(4);
            assertThat(refused("requests")).isEqualTo(100);
            assertThat(refused("tokens")).isZero();
            assertThat(refused("pictures")).isZero();
            assertThat(refused("concurrent")).isZero();
        }
    }

    @Test
    void bindTo_redisThatIsNotThere_isDownWithFailures() {
        try (Limits limits = limits("redis://127.0.0.1:1")) {
            new LimitMeters(limits).bindTo(registry);

            assertThat(registry.get("idefics.limits.redis.up").gauge().value()).isZero();
            assertThat(registry.get("idefics.limits.redis.failures")
                            .functionCounter()
                            .count())
                    .isEqualTo(1);
        }
    }

    private double refused(String limit) {
        return registry.get("idefics.limits.refused")
                .tag("limit", limit)
                .functionCounter()
                .count();
    }

    private static Limits limits(String redis) {
        return Limits.of(new LimitsProperties(
                1,
                0,
                0,
                0,
                new LimitsProperties.Redis(redis, Duration.ofMillis(100), LimitsProperties.OnFailure.OPEN)));
    }
}
