package io.idefics.admission;

import io.idefics.generation.Account;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Work;
import java.util.concurrent.CompletionStage;

/** The right of one request to be served, with the memory that it has; closing it again has no effect. */
public final class Permit implements Account, AutoCloseable {

    private final MemoryBudget memory;
    private final Account account;
    private final Runnable release;
    private long held;
    private boolean released;

    Permit(MemoryBudget memory, Account account, Runnable release) {
        this.memory = memory;
        this.account = account;
        this.release = release;
    }

    /**
     * Changes for how many bytes of a body there is room, until the permit is closed.
     *
     * @throws GenerationException of type {@link ErrorType#OVERLOADED} where the bodies of others leave too little
     */
    public synchronized void hold(long bytes) {
        if (released) {
            return; // abandoned in the meantime
        }
        if (!memory.take(bytes - held)) {
            throw new GenerationException(
                    ErrorType.OVERLOADED,
                    "The service has no memory left for a body of " + bytes + " bytes; try again later.",
                    null);
        }
        held = bytes;
    }

    @Override
    public CompletionStage<Void> reserve(Work work) {
        return account.reserve(work);
    }

    @Override
    public void charge(long tokens) {
        account.charge(tokens);
    }

    @Override
    public void close() {
        synchronized (this) {
            if (released) {
                return;
            }
            released = true;
            memory.take(-held);
        }
        release.run();
    }
}
