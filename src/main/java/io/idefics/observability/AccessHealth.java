package io.idefics.observability;

import io.idefics.admission.ApiKeys;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.stereotype.Component;

/** How many API keys are known, and why they are not those of the key file; always up, as requests can be checked. */
@Component("keys")
class AccessHealth implements HealthIndicator {

    private final ApiKeys keys;

    AccessHealth(ApiKeys keys) {
        this.keys = keys;
    }

    @Override
    public Health health() {
        Health.Builder health = Health.up().withDetail("keys", keys.size());
        String problem = keys.problem();
        return (problem == null ? health : health.withDetail("problem", problem)).build();
    }
}
