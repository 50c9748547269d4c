package io.idefics.observability;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.admission.AccessRefusals;
import io.idefics.admission.AccessRefusals.Reason;
import io.idefics.admission.ApiKeys;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.List;
import org.junit.jupiter.api.Test;

class AccessMetersTest {

    private final ApiKeys keys = new ApiKeys(List.of());
    private final AccessRefusals refusals = new AccessRefusals();

    @Test
    void meters_followKeysAndRefusals() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        new AccessMeters(keys, refusals).bindTo(registry);

        refusals.record(Reason.UNKNOWN, "address:192.0.2.1");
        refusals.record(Reason.UNKNOWN, "address:192.0.2.1");
        refusals.record(Reason.SCOPE, "key:a");

        assertThat(refused(registry, "unknown")).isEqualTo(2);
        assertThat(refused(registry, "scope")).isEqualTo(1);
        assertThat(refused(registry, "missing")).isZero();
        assertThat(registry.get("idefics.access.keys").gauge().value()).isZero();
        assertThat(registry.get("idefics.access.outdated").gauge().value()).isZero();
        keys.keep("a reason");
        assertThat(registry.get("idefics.access.outdated").gauge().value()).isEqualTo(1);
    }

    @Test
    void health_problem_isToldButUp() {
        assertThat(new AccessHealth(keys).health().getDetails()).containsOnlyKeys("keys");

        keys.keep("a reason");

        assertThat(new AccessHealth(keys).health().getStatus().getCode()).isEqualTo("UP");
        assertThat(new AccessHealth(keys).health().getDetails()).containsEntry("problem", "a reason");
    }

    private static double refused(SimpleMeterRegistry registry, String reason) {
        return registry.get("idefics.access.refused")
                .tag("reason", reason)
                .functionCounter()
                .count();
    }
}
