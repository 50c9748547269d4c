package io.idefics.engine;

import reactor.core.publisher.FluxSink;

/** A sequence in the hands of the engine: its request, its sampler and the way out for its tokens. */
final class Sequence {

    private final SequenceRequest request;
    private final FluxSink<SequenceEvent> tokens;
    private final Sampler sampler;
    private int generated;
    private boolean finished;

    Sequence(SequenceRequest request, FluxSink<SequenceEvent> tokens) {
        this.request = request;
        this.tokens = tokens;
        this.sampler = new Sampler(request);
    }

    SequenceRequest request() {
        return request;
    }

    /** Whether no more tokens are due: the last one ended the sequence, or nobody waits for them any more. */
    boolean isDone() {
        return finished || tokens.isCancelled();
    }

    /** Tells that the prompt has been run, all of it. */
    void prefilled() {
        tokens.next(new SequenceEvent.Prefilled(0));
    }

    /**
     * Chooses the next token and hands it out.
     *
     * @return the token
     */
    int append(float[] logits, SamplerScratch scratch) {
        SequenceEvent.Token token = sampler.next(logits, scratch);
        generated++;
        tokens.next(token);
        if (request.stopIds().contains(token.id()) || generated >= request.maxTokens()) {
            finished = true;
            tokens.complete();
        }
        return token.id();
    }

    void fail(Throwable error) {
        finished = true;
        if (!tokens.isCancelled()) {
            tokens.error(error);
        }
    }
}
