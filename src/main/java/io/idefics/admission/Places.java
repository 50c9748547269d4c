package io.idefics.admission;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Counts the requests of each caller that are running; knows only callers that have some. */
final class Places {

    private final ConcurrentMap<String, Bulkhead> callers = new ConcurrentHashMap<>();

    /** Takes a place for a caller that may have so many at the same time; tells whether there was one. */
    boolean take(String caller, int most) {
        boolean[] taken = new boolean[1];
        callers.compute(caller, (name, known) -> {
            Bulkhead bulkhead = known == null ? bulkhead(most) : known;
            taken[0] = bulkhead.tryAcquirePermission();
            return bulkhead;
        });
        return taken[0];
    }

    void giveBack(String caller) {
        callers.computeIfPresent(caller, (name, bulkhead) -> {
            bulkhead.onComplete();
            Bulkhead.Metrics metrics = bulkhead.getMetrics();
            return metrics.getAvailableConcurrentCalls() == metrics.getMaxAllowedConcurrentCalls() ? null : bulkhead;
        });
    }

    int callers() {
        return callers.size();
    }

    private static Bulkhead bulkhead(int most) {
        BulkheadConfig config = BulkheadConfig.custom()
                .maxConcurrentCalls(most)
                .maxWaitDuration(Duration.ZERO)
                .build();
        return Bulkhead.of("", config);
    }
}
