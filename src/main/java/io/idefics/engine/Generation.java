package io.idefics.engine;

import java.util.Set;
import reactor.core.publisher.FluxSink;

/** A sequence with a client at its end: its request, its sampler and the way out for its events. */
final class Generation {

    private final SequenceRequest request;
    private final FluxSink<SequenceEvent> events;
    private final Set<Generation> open;
    private final Sampler sampler;
    private final Sequence sequence;
    private boolean prefilled;
    private volatile boolean admitted;

    /** @param open the sequences that have not ended, for any thread; who takes this one out ends its events */
    Generation(
            SequenceRequest request,
            FluxSink<SequenceEvent> events,
            Set<Generation> open,
            long arrival,
            long deadlineNanos) {
        this.request = request;
        this.events = events;
        this.open = open;
        this.sampler = new Sampler(request);
        this.sequence = new Sequence(
                request.input(),
                request.input().images().stream().map(image -> image.digest()).toList(),
                request.maxTokens(),
                request.client(),
                arrival,
                deadlineNanos);
    }

    Sequence sequence() {
        return sequence;
    }

    SequenceRequest request() {
        return request;
    }

    /** The sequence has got a place on the device. */
    void admit() {
        admitted = true;
    }

    /** Whether the sequence has had a place on the device. */
    boolean isAdmitted() {
        return admitted;
    }

    /** Whether no more events are due: the last one was given out, or nobody waits for them any more. */
    boolean isDone() {
        return !open.contains(this);
    }

    /**
     * Chooses the next token and hands it out.
     *
     * @return its id, or -1 when it is the last one
     * @throws LogitsException if nothing can be chosen
     */
    int next(float[] logits, SamplerScratch scratch) {
        SequenceEvent.Token token = sampler.next(logits, scratch);
        if (!prefilled) {
            prefilled = true;
            events.next(new SequenceEvent.Prefilled(sequence.reused()));
        }
        events.next(token);
        if (request.stopIds().contains(token.id()) || sequence.generated() + 1 >= request.maxTokens()) {
            if (open.remove(this)) {
                events.complete();
            }
            return -1;
        }
        return token.id();
    }

    /** Ends the events with an error, unless they have ended; any thread may do so. */
    void fail(Throwable error) {
        if (open.remove(this)) {
            events.error(error);
        }
    }
}
