package io.idefics.admission;

import io.idefics.admission.Arrivals.Arrival;
import io.idefics.generation.Account;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.generation.Work;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * The right of one request to be served, with what it has taken of memory and work; closing it again has no effect. While
 * its body or its pictures are on the way, others are served in its place.
 */
public final class Permit implements Account, AutoCloseable {

    /** What a picture counts as: the decoder attends to 64 latents of each, and the vision tower has to make them. */
    static final int PICTURE_TOKENS = 64;

    private final ConcurrencyLimiter limiter;
    private final Priority priority;
    private final Allowance allowance;
    private final Runnable release;
    private @Nullable Arrival arrival; // guarded by this, like the rest
    private int waits;
    private boolean in = true;
    private long heldBytes;
    private long heldTokens;
    private boolean released;

    /** @param release what is done besides leaving the limiter, in which the request has a place */
    Permit(ConcurrencyLimiter limiter, Priority priority, Allowance allowance, Runnable release) {
        this.limiter = limiter;
        this.priority = priority;
        this.allowance = allowance;
        this.release = release;
    }

    /** Whose turn comes first. */
    public Priority priority() {
        return priority;
    }

    /**
     * Waits for the body, and leaves the place among those that are served to others.
     *
     * @param client whose body it is
     * @return fails with a {@link GenerationException} of type {@link ErrorType#OVERLOADED} when the body is too slow to
     *     be waited for any longer, since others need the room
     * @throws GenerationException of type {@link ErrorType#OVERLOADED} where too many bodies are on their way
     */
    public CompletableFuture<Void> receive(String client) {
        Arrival entered = enter(client);
        synchronized (this) {
            if (released) {
                limiter.arrivals().leave(entered);
                return entered.displaced();
            }
            arrival = entered;
            in = false;
        }
        limiter.leave();
        CompletableFuture<Void> unused = entered.displaced().whenComplete((none, failure) -> close());
        return entered.displaced();
    }

    private Arrival enter(String client) {
        Arrival entered = limiter.arrivals().enter(client);
        if (entered == null) {
            throw limiter.refusal(
                    Refusal.REQUESTS,
                    "The service is receiving " + limiter.arriving() + " bodies, the most it does at a time");
        }
        return entered;
    }

    /** Notes how much of the body has come. */
    public synchronized void progress(long bytes) {
        if (arrival != null) {
            arrival.progress(bytes);
        }
    }

    /**
     * Takes a place among those that are served again, as the body is there.
     *
     * @throws GenerationException of type {@link ErrorType#OVERLOADED} where there is none any more
     */
    public synchronized void received() {
        if (released || arrival == null) {
            return;
        }
        limiter.arrivals().leave(arrival);
        arrival = null;
        in = limiter.comeBack(priority);
        if (!in) {
            throw limiter.refusal(Refusal.REQUESTS, "The service became busy while the body was on its way");
        }
    }

    @Override
    public void beginWait() {
        synchronized (this) {
            if (released || waits++ > 0) {
                return;
            }
            if (!limiter.waiting().take(1)) {
                waits = 0;
                throw limiter.refusal(
                        Refusal.REQUESTS,
                        "The service is busy with " + limiter.waiting().capacity()
                                + " requests that wait for their pictures, the most it admits");
            }
            in = false;
        }
        limiter.leave();
    }

    @Override
    public synchronized void endWait() {
        if (released || --waits > 0) {
            return;
        }
        limiter.waiting().take(-1);
        in = limiter.comeBack(priority);
        if (!in) {
            throw limiter.refusal(Refusal.REQUESTS, "The service became busy while the pictures were on their way");
        }
    }

    /**
     * Changes for how many bytes of a body there is room, until the permit is closed. Bodies that come more slowly are
     * given up for it.
     *
     * @throws GenerationException of type {@link ErrorType#OVERLOADED} where the bodies of others leave too little
     */
    public void hold(long bytes) {
        while (!tryHold(bytes)) {
            if (!makeRoom()) {
                throw limiter.refusal(
                        Refusal.MEMORY, "The service has no memory left for a body of " + bytes + " bytes");
            }
        }
    }

    private synchronized boolean tryHold(long bytes) {
        if (released) {
            return true; // abandoned in the meantime
        }
        if (!limiter.memory().take(bytes - heldBytes)) {
            return false;
        }
        heldBytes = bytes;
        return true;
    }

    /** Not under the lock, since it takes that of another permit. */
    private boolean makeRoom() {
        Arrival own;
        synchronized (this) {
            own = arrival;
        }
        return own != null && limiter.arrivals().makeRoom(own);
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
            return allowance.reserve(work);
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
        allowance.charge(tokens);
    }

    @Override
    public void close() {
        boolean leaves;
        synchronized (this) {
            if (released) {
                return;
            }
            released = true;
            if (arrival != null) {
                limiter.arrivals().leave(arrival);
            }
            if (waits > 0) {
                limiter.waiting().take(-1);
            }
            leaves = in;
            limiter.memory().take(-heldBytes);
            limiter.work().take(-heldTokens);
        }
        if (leaves) {
            limiter.leave();
        }
        release.run();
    }
}
