package io.idefics.observability;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.idefics.engine.EngineStats;
import io.idefics.engine.ReplicaStatus;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.stereotype.Component;

/** The models and their replicas as they are now: {@code GET /actuator/models}. */
@Component
@Endpoint(id = "models")
class ModelsEndpoint {

    private final ModelRegistry registry;

    ModelsEndpoint(ModelRegistry registry) {
        this.registry = registry;
    }

    @ReadOperation
    Models models() {
        return new Models(registry.hosts().stream().map(Model::of).toList());
    }

    record Models(List<Model> models) {}

    /** A model; the words for states are those of readiness. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Model(String id, String state, @Nullable String failure, List<Replica> replicas) {

        static Model of(ModelHost host) {
            return new Model(
                    host.id(),
                    word(host.state()),
                    host.failure(),
                    host.replicas().stream().map(Replica::of).toList());
        }
    }

    /** A replica, with the number of sequences that run and wait there. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Replica(
            List<String> devices,
            String state,
            int running,
            int waiting,
            int restarts,
            Cache cache,
            @Nullable String failure) {

        static Replica of(ReplicaStatus status) {
            return new Replica(
                    status.devices(),
                    word(status.state()),
                    status.runningSequences(),
                    status.waitingSequences(),
                    status.restarts(),
                    Cache.of(status.stats()),
                    status.failure());
        }
    }

    /** Blocks of the key/value cache: held by sequences, kept for others, and empty. */
    record Cache(int usedBlocks, int cachedBlocks, int freeBlocks) {

        static Cache of(EngineStats stats) {
            return new Cache(stats.usedBlocks(), stats.cachedBlocks(), stats.freeBlocks());
        }
    }

    private static String word(Enum<?> state) {
        return state.name().toLowerCase(Locale.ROOT);
    }
}
