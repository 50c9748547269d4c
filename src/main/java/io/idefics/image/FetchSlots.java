package io.idefics.image;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** A bulkhead at which those that find no room wait in turn, without a thread. */
final class FetchSlots {

    private final Bulkhead bulkhead;
    private final Deque<Slot> waiting = new ArrayDeque<>(); // guarded by this

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

    /** A place in the queue or, once granted, one of the slots; close it in any case. */
    Slot take() {
        Slot slot = new Slot();
        synchronized (this) {
            if (!waiting.isEmpty() || !bulkhead.tryAcquirePermission()) {
                waiting.add(slot);
                return slot;
            }
            slot.held = true;
        }
        slot.granted.tryEmitEmpty();
        return slot;
    }

    private void giveBack(Slot slot) {
        Slot next;
        synchronized (this) {
            if (!slot.held) {
                waiting.remove(slot);
                return;
            }
            slot.held = false;
            next = waiting.poll();
            if (next == null) {
                bulkhead.releasePermission();
                return;
            }
            next.held = true;
        }
        next.granted.tryEmitEmpty();
    }

    /** The claim of one fetch. */
    final class Slot {

        private final Sinks.Empty<Void> granted = Sinks.empty();
        private boolean held; // guarded by FetchSlots.this

        private Slot() {}

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
