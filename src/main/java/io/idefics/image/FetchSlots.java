package io.idefics.image;

import java.util.ArrayDeque;
import java.util.Deque;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** Room for so many fetches at one time; further ones wait in turn without a thread. */
final class FetchSlots {

    private final Deque<Slot> waiting = new ArrayDeque<>(); // guarded by this
    private int free; // guarded by this

    FetchSlots(int slots) {
        this.free = slots;
    }

    /** Slots that nobody holds. */
    synchronized int free() {
        return free;
    }

    /** A place in the queue or, once granted, one of the slots; close it in any case. */
    Slot take() {
        Slot slot = new Slot();
        synchronized (this) {
            if (free == 0) {
                waiting.add(slot);
                return slot;
            }
            free--;
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
                free++;
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
