package io.idefics.observability;

import io.idefics.engine.ReplicaState;
import io.idefics.engine.ReplicaStatus;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelHost.State;
import io.idefics.service.ModelRegistry;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.stereotype.Component;

/**
 * Readiness: up when every model is ready, which it is with one ready replica. Each model tells whether it is loading,
 * ready, restarting or failed, and why; and how many of its replicas are ready, if not all are.
 */
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
            details.put(host.id(), description(host, state));
        }
        Health.Builder health = Health.up();
        if (states.contains(State.FAILED)) {
            health.down();
        } else if (states.contains(State.LOADING) || states.contains(State.RESTARTING)) {
            health.outOfService();
        }
        return health.withDetails(details).build();
    }

    private static String description(ModelHost host, State state) {
        String word = state.name().toLowerCase(Locale.ROOT);
        if (state == State.READY) {
            List<ReplicaStatus> replicas = host.replicas();
            long ready = replicas.stream()
                    .filter(replica -> replica.state() == ReplicaState.READY)
                    .count();
            return ready == replicas.size() ? word : word + ": " + ready + " of " + replicas.size() + " replicas";
        }
        String failure = host.failure();
        return failure == null ? word : word + ": " + failure;
    }
}
