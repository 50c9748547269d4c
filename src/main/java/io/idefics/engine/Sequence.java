package io.idefics.engine;

import reactor.core.publisher.FluxSink;

/** A sequence in the hands of the engine: its request, its sampler and the way out for its tokens. */
final class Sequence {

    private final SequenceRequest request;
    private final FluxSink<Integer> tokens;
    private final Sampler sampler;
    private int generated;
    private boolean finished;

    Sequence(SequenceRequest request, FluxSink<Integer> tokens) {
        this.request = request;
        this.tokens = tokens;
        this.sampler = new Sampler(request.sampling(), request.input().inputIds(), request.bannedIds());
    }

    SequenceRequest request() {
        return request;
    }

    /** Whether no more tokens are due: the last one ended the sequence, or nobody waits for them any more. */
    boolean isDone() {
        return finished || tokens.isCancelled();
    }

    /**
     * Chooses the next token and hands it out.
     *
     * @return the token
     */
    int append(float[] logits) {
        int id = sampler.next(logits);
        generated++;
        tokens.next(id);
        if (request.stopIds().contains(id) || generated >= request.maxTokens()) {
            finished = true;
            tokens.complete();
        }
        return id;
    }

    void fail(Throwable error) {
        finished = true;
        if (!tokens.isCancelled()) {
            tokens.error(error);
        }
    }
}
