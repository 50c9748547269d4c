package io.idefics.observability;

import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.stereotype.Component;

/** Liveness: down when all replicas of a model have failed for good, which only a restart of the process cures. */
@Component("engines")
class EngineHealth implements HealthIndicator {

    private final ModelRegistry registry;

    EngineHealth(ModelRegistry registry) {
        this.registry = registry;
    }

    @Override
    public Health health() {
        boolean died = registry.hosts().stream().anyMatch(ModelHost::hasDied);
        return (died ? Health.down() : Health.up()).build();
    }
}
