package io.idefics.service;

import io.idefics.engine.SequenceEvent;
import io.idefics.generation.Account;
import io.idefics.generation.GenerationEvent;
import java.util.concurrent.atomic.AtomicLong;
import reactor.core.publisher.Flux;

/** Counts the tokens of one answer as they are computed, and charges them once when it ends, however it ends. */
final class TokenMeter {

    private final Account account;
    private final int promptTokens;
    private final AtomicLong tokens = new AtomicLong();

    TokenMeter(Account account, int promptTokens) {
        this.account = account;
        this.promptTokens = promptTokens;
    }

    /** Counts what a sequence generates; the prompt, which all sequences share, is counted once it was read. */
    Flux<SequenceEvent> counted(Flux<SequenceEvent> sequence) {
        return sequence.doOnNext(event -> {
            tokens.compareAndSet(0, promptTokens);
            if (event instanceof SequenceEvent.Token) {
                tokens.incrementAndGet();
            }
        });
    }

    /** Charges what was counted when the answer ends; the prompt also to a client that leaves while it is read. */
    Flux<GenerationEvent> charged(Flux<GenerationEvent> answer) {
        return answer.doOnCancel(() -> tokens.compareAndSet(0, promptTokens)).doFinally(signal -> {
            if (tokens.get() > 0) {
                account.charge(tokens.get());
            }
        });
    }
}
