package io.idefics.image;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/**
 * A bulkhead at which those that find no room wait without a thread: first for the client that has the fewest slots, so that
 * one with many slow fetches does not hold up the others, then in turn.
 */
final class FetchSlots {

    private final Bulkhead bulkhead;
    private final Deque<Slot> waiting = new ArrayDeque<>(); // guarded by this
    private final Map<String, Integer> held = new HashMap<>(); // slots by client; guarded by this

    FetchSlots(String name, int slots) {
        this.bulkhead = Bulkhead.of(
                name,
                BulkheadConfig.custom()
                        .maxConcurrentCalls(slots)
                        .maxWaitDuration(Duration.ZERO)
                        .build());
    }

    /** Slots that nobody holds. */
    int free() {
        return bulkhead.getMetrics().getAvailableConcurrentCalls();
    }

    /** A place in the queue or, once granted, one of the slots of a client; close it in any case. */
    Slot take(String client) {
        Slot slot = new Slot(client);
        synchronized (this) {
            if (!waiting.isEmpty() || !bulkhead.tryAcquirePermission()) {
                waiting.add(slot);
                return slot;
            }
            hold(slot);
        }
        slot.granted.tryEmitEmpty();
        return slot;
    }

    private void hold(Slot slot) {
        slot.held = true;
        held.merge(slot.client, 1, Integer::sum);
    }

    private void giveBack(Slot slot) {
        Slot next;
        synchronized (this) {
            if (!slot.held) {
                waiting.remove(slot);
                return;
            }
            slot.held = false;
            held.computeIfPresent(slot.client, (client, slots) -> slots == 1 ? null : slots - 1);
            if (waiting.isEmpty()) {
                bulkhead.releasePermission();
                return;
            }
            next = Collections.min(waiting, Comparator.comparingInt(waiter -> held.getOrDefault(waiter.client, 0)));
            waiting.remove(next);
            hold(next);
        }
        next.granted.tryEmitEmpty();
    }

    /** The claim of one fetch. */
    final class Slot {

        private final Sinks.Empty<Void> granted = Sinks.empty();
        private final String client;
        private boolean held; // guarded by FetchSlots.this

        private Slot(String client) {
            this.client = client;
        }

        /** Completes when the fetch may begin. */
        Mono<Void> granted() {
            return granted.asMono();
        }

        /** Leaves the queue or hands the slot on; may be called twice. */
        void close() {
            giveBack(this);
        }
    }
}
