package io.idefics.admission;

import io.idefics.generation.Account;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.generation.Work;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** The right of one request to be served, with what it has taken of memory and work; closing it again has no effect. */
public final class Permit implements Account, AutoCloseable {

    /** What a picture counts as: the decoder attends to 64 latents of each, and the vision tower has to make them. */
    static final int PICTURE_TOKENS = 64;

    private final ConcurrencyLimiter limiter;
    private final Priority priority;
    private final Account account;
    private final Runnable release;
    private long heldBytes;
    private long heldTokens;
    private boolean released;

    Permit(ConcurrencyLimiter limiter, Priority priority, Account account, Runnable release) {
        this.limiter = limiter;
        this.priority = priority;
        this.account = account;
        this.release = release;
    }

    /** Whose turn comes first. */
    public Priority priority() {
        return priority;
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
        if (!limiter.memory().take(bytes - heldBytes)) {
            throw limiter.refusal(Refusal.MEMORY, "The service has no memory left for a body of " + bytes + " bytes");
        }
        heldBytes = bytes;
    }

    /**
     * Takes room for work, until the permit is closed; that of several prompts adds up.
     *
     * @return fails with a {@link GenerationException} of type {@link ErrorType#OVERLOADED} where the work of others leaves
     *     too little, and {@link ErrorType#INVALID_VALUE} where it is too much for one request
     */
    @Override
    public CompletionStage<Void> reserve(Work work) {
        try {
            take(work);
            return account.reserve(work);
        } catch (GenerationException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private synchronized void take(Work work) {
        if (released) {
            return; // abandoned in the meantime
        }
        long tokens = work.promptTokens() + work.answerTokens() + (long) PICTURE_TOKENS * work.pictures();
        long most = limiter.mostTokens(priority);
        if (heldTokens + tokens > most) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    "The request may take " + (heldTokens + tokens) + " tokens, each picture counted as "
                            + PICTURE_TOKENS + ", but the service admits at most " + most
                            + " at a time. Ask for fewer or shorter answers.",
                    null);
        }
        if (!limiter.work().take(tokens, most)) {
            throw limiter.refusal(
                    Refusal.WORK,
                    "The service is busy and has no room left for the " + tokens
                            + " tokens that this request may take");
        }
        heldTokens += tokens;
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
            limiter.memory().take(-heldBytes);
            limiter.work().take(-heldTokens);
        }
        release.run();
    }
}
