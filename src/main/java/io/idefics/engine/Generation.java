package io.idefics.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import reactor.core.publisher.FluxSink;

/** A sequence with a client at its end: its request, its sampler and the way out for its events. */
final class Generation {

    private final SequenceRequest request;
    private final FluxSink<SequenceEvent> events;
    private final Set<Generation> open;
    private final Sampler sampler;
    private final Sequence sequence;
    private final List<TokenLogprobs> promptLogprobs = new ArrayList<>();
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
                request.promptLogprobsFrom(),
                request.client(),
                request.priority(),
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
     * Reads how likely tokens of the prompt were.
     *
     * @param first the token to which the first of the logits belong
     * @param logits of tokens that follow each other; one of the last token of the prompt is left out
     * @throws LogitsException if they are no numbers
     */
    void readPrompt(int first, float[][] logits, SamplerScratch scratch) {
        Logprobs logprobs = scratch.logprobs();
        for (int i = 0; i < logits.length && first + i + 1 < sequence.promptLength(); i++) {
            logprobs.read(logits[i], Math.max(0, request.topLogprobs()), scratch.top());
            promptLogprobs.add(logprobs.chosen(sequence.id(first + i + 1)));
        }
    }

    /**
     * Chooses the next token, if any is wanted, and hands it out.
     *
     * @return its id, or -1 when it is the last one or none is wanted
     * @throws LogitsException if nothing can be chosen
     */
    int next(float[] logits, SamplerScratch scratch) {
        if (request.maxTokens() == 0) {
            tellPrefilled();
            return end();
        }
        SequenceEvent.Token token = sampler.next(logits, scratch);
        tellPrefilled();
        events.next(token);
        if (request.stopIds().contains(token.id()) || sequence.generated() + 1 >= request.maxTokens()) {
            return end();
        }
        return token.id();
    }

    private void tellPrefilled() {
        if (!prefilled) {
            prefilled = true;
            events.next(new SequenceEvent.Prefilled(sequence.reused(), promptLogprobs));
        }
    }

    private int end() {
        if (open.remove(this)) {
            events.complete();
        }
        return -1;
    }

    /** Ends the events of a sequence that was taken out of the open ones. */
    void refuse(Throwable error) {
        events.error(error);
    }

    /** Ends the events with an error, unless they have ended; any thread may do so. */
    void fail(Throwable error) {
        if (open.remove(this)) {
            events.error(error);
        }
    }
}
