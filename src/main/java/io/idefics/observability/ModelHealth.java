package io.idefics.observability;

import io.idefics.service.ModelHost;
import io.idefics.service.ModelHost.State;
import io.idefics.service.ModelRegistry;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.stereotype.Component;

/** Readiness: up when every model is ready. Each model tells whether it is loading, ready or failed, and why. */
@Component("models")
class ModelHealth implements HealthIndicator {

    private final ModelRegistry registry;

    ModelHealth(ModelRegistry registry) {
        this.registry = registry;
    }

    @Override
    public Health health() {
        Map<String, Object> details = new TreeMap<>();
        Set<State> states = EnumSet.noneOf(State.class);
        for (ModelHost host : registry.hosts()) {
            State state = host.state();
            states.add(state);
            String word = state.name().toLowerCase(Locale.ROOT);
            String failure = host.failure();
            details.put(host.id(), failure == null ? word : word + ": " + failure);
        }
        Health.Builder health = Health.up();
        if (states.contains(State.FAILED)) {
            health.down();
        } else if (states.contains(State.LOADING)) {
            health.outOfService();
        }
        return health.withDetails(details).build();
    }
}
