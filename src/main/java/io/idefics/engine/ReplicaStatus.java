package io.idefics.engine;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What can be said of a replica at one moment.
 *
 * @param index its place in the pool, from 0
 * @param devices where it runs; the layers are split over several
 * @param restarts how often it was built anew
 * @param failure why it is not ready, if it failed
 */
public record ReplicaStatus(
        int index,
        List<String> devices,
        ReplicaState state,
        int runningSequences,
        int waitingSequences,
        int restarts,
        EngineStats stats,
        @Nullable String failure) {}
