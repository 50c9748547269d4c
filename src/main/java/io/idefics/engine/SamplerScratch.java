package io.idefics.engine;

/**
 * The buffers of {@link Sampler}, as large as the vocabulary. One serves all sequences of an engine thread, one after
 * the other: nothing in it is kept from one token to the next.
 */
final class SamplerScratch {

    private final Candidates candidates = new Candidates();
    private final TopTokens top = new TopTokens();
    private final Logprobs logprobs = new Logprobs();

    Candidates candidates() {
        return candidates;
    }

    TopTokens top() {
        return top;
    }

    Logprobs logprobs() {
        return logprobs;
    }
}
