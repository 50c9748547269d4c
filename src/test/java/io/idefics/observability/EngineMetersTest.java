package io.idefics.observability;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.engine.EngineStats;
import io.idefics.engine.ReplicaState;
import io.idefics.engine.ReplicaStatus;
import io.idefics.observability.EngineMeters.Replica;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EngineMetersTest {

    /** Every number another one, so that none can stand for another. */
    private static final EngineStats STATS =
            new EngineStats(3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15_000_000_000L, 16, 17, 19, 20, 21);

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private ReplicaState state = ReplicaState.READY;
    private final EngineMeters meters = new EngineMeters(List.of(
            new Replica("a", 0, () -> status(0)),
            new Replica("a", 1, () -> status(1)),
            new Replica("b", 0, () -> status(0))));

    @Test
    void meters_ofAReplica_areWhatItPublishes() {
        meters.bindTo(registry);

        assertThat(gauge("sequences.running")).isEqualTo(1);
        assertThat(gauge("sequences.waiting")).isEqualTo(2);
        assertThat(gauge("cache.blocks", "state", "used")).isEqualTo(3);
        assertThat(gauge("cache.blocks", "state", "cached")).isEqualTo(4);
        assertThat(gauge("cache.blocks", "state", "free")).isEqualTo(5);
        assertThat(counter("prefix.tokens", "result", "hit")).isEqualTo(6);
        assertThat(counter("prefix.tokens", "result", "miss")).isEqualTo(7);
        assertThat(counter("images", "tier", "states", "result", "hit")).isEqualTo(8);
        assertThat(counter("images", "tier", "states", "result", "miss")).isEqualTo(9);
        assertThat(counter("images", "tier", "latents", "result", "hit")).isEqualTo(10);
        assertThat(counter("images", "tier", "latents", "result", "miss")).isEqualTo(11);
        assertThat(counter("tokens", "kind", "prompt")).isEqualTo(12);
        assertThat(counter("tokens", "kind", "generated")).isEqualTo(13);
        var step = registry.get("idefics.engine.step")
                .tags("model", "a", "replica", "1")
                .functionTimer();
        assertThat(step.count()).isEqualTo(14);
        assertThat(step.totalTime(TimeUnit.SECONDS)).isEqualTo(15);
        assertThat(counter("preemptions")).isEqualTo(16);
        assertThat(counter("nan.logits")).isEqualTo(17);
        assertThat(counter("restarts")).isEqualTo(18);
        assertThat(counter("refused", "reason", "full")).isEqualTo(19);
        assertThat(counter("refused", "reason", "displaced")).isEqualTo(20);
        assertThat(counter("refused", "reason", "overdue")).isEqualTo(21);
    }

    @Test
    void ready_followsTheState() {
        meters.bindTo(registry);
        assertThat(gauge("ready")).isEqualTo(1);

        state = ReplicaState.RESTARTING;

        assertThat(gauge("ready")).isZero();
    }

    @Test
    void meters_all_haveModelReplicaDescriptionAndUnit() {
        meters.bindTo(registry);

        assertThat(registry.getMeters()).hasSize(3 * 21).allSatisfy(meter -> {
            Meter.Id id = meter.getId();
            assertThat(id.getName()).matches("idefics\\.engine(\\.[a-z]+)+");
            assertThat(id.getTag("model")).isIn("a", "b");
            assertThat(id.getTag("replica")).isIn("0", "1");
            assertThat(id.getDescription()).isNotBlank();
            assertThat(id.getBaseUnit()).isNotBlank();
        });
    }

    private double gauge(String name, String... tags) {
        return registry.get("idefics.engine." + name)
                .tags("model", "a", "replica", "1")
                .tags(tags)
                .gauge()
                .value();
    }

    private double counter(String name, String... tags) {
        return registry.get("idefics.engine." + name)
                .tags("model", "a", "replica", "1")
                .tags(tags)
                .functionCounter()
                .count();
    }

    private ReplicaStatus status(int index) {
        return new ReplicaStatus(index, List.of("cpu"), state, index, 2 * index, 18 * index, STATS, null);
    }
}
