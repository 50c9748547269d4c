package io.idefics.observability;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.idefics.admission.Arrivals;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Permit;
import io.idefics.admission.PriorityShares;
import io.idefics.generation.Priority;
import io.idefics.generation.Work;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class AdmissionMetersTest {

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final ConcurrencyLimiter limiter = new ConcurrencyLimiter(
            Bulkhead.of(
                    "test",
                    BulkheadConfig.custom()
                            .maxConcurrentCalls(2)
                            .maxWaitDuration(Duration.ZERO)
                            .build()),
            100,
            1000,
            new PriorityShares(1, 1),
            new Arrivals(8, 1),
            8);

    @Test
    void meters_ofRequests_areWhatTheyHold() {
        new AdmissionMeters(limiter).bindTo(registry);
        Permit permit = limiter.acquire(Priority.NORMAL);
        permit.hold(30);
        permit.reserve(new Work(5, 15, 1));

        assertThat(gauge("requests")).isEqualTo(1);
        assertThat(gauge("requests.max")).isEqualTo(2);
        assertThat(gauge("memory")).isEqualTo(30);
        assertThat(gauge("memory.max")).isEqualTo(100);
        assertThat(gauge("tokens")).isEqualTo(84);
        assertThat(gauge("tokens.max")).isEqualTo(1000);

        permit.close();
        assertThat(gauge("requests") + gauge("memory") + gauge("tokens")).isZero();
    }

    @Test
    void meters_ofRefusals_tellTheReason() {
        new AdmissionMeters(limiter).bindTo(registry);
        Permit first = limiter.acquire(Priority.NORMAL);
        Permit second = limiter.acquire(Priority.NORMAL);
        first.hold(100);
        first.reserve(new Work(500, 500, 0));

        catchThrowable(() -> limiter.acquire(Priority.NORMAL));
        catchThrowable(() -> second.hold(1));
        catchThrowable(() -> second.hold(2));
        for (int i = 0; i < 3; i++) {
            second.reserve(new Work(1, 0, 0));
        }

        assertThat(refused("requests")).isEqualTo(1);
        assertThat(refused("memory")).isEqualTo(2);
        assertThat(refused("work")).isEqualTo(3);
    }

    @Test
    void meters_all_haveDescriptionAndUnit() {
        new AdmissionMeters(limiter).bindTo(registry);

        assertThat(registry.getMeters()).hasSize(12).allSatisfy(meter -> {
            Meter.Id id = meter.getId();
            assertThat(id.getName()).startsWith("idefics.admission.");
            assertThat(id.getDescription()).isNotBlank();
            assertThat(id.getBaseUnit()).isNotBlank();
        });
    }

    private double gauge(String name) {
        return registry.get("idefics.admission." + name).gauge().value();
    }

    private double refused(String reason) {
        return registry.get("idefics.admission.refused")
                .tag("reason", reason)
                .functionCounter()
                .count();
    }
}
