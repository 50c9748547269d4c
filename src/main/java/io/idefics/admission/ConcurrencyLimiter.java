package io.idefics.admission;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;

/** Bounds the number of requests that are served at the same time, and the memory of their bodies; nobody waits. */
public final class ConcurrencyLimiter {

    private final Bulkhead bulkhead;
    private final MemoryBudget memory;

    /**
     * Makes a limiter.
     *
     * @param bulkhead the count, which must refuse at once
     * @param bodyBytes the most bytes of all bodies together
     */
    public ConcurrencyLimiter(Bulkhead bulkhead, long bodyBytes) {
        this.bulkhead = bulkhead;
        this.memory = new MemoryBudget(bodyBytes);
    }

    /**
     * Lets one request in.
     *
     * @return the permit, to be closed when the answer is written or abandoned
     * @throws GenerationException of type {@link ErrorType#OVERLOADED} where there is no room
     */
    public Permit acquire() {
        return acquire(Allowance.UNLIMITED);
    }

    /**
     * Lets one request in, for which its caller must have tokens left and a place among its own requests.
     *
     * @return the permit, to be closed when the answer is written or abandoned
     * @throws GenerationException of type {@link ErrorType#RATE_LIMITED} where the caller has done what it may, and
     *     {@link ErrorType#OVERLOADED} where there is no room
     */
    public Permit acquire(Allowance allowance) {
        Runnable leave = allowance.enter();
        if (!bulkhead.tryAcquirePermission()) {
            leave.run();
            throw new GenerationException(
                    ErrorType.OVERLOADED,
                    "The service is busy with " + bulkhead.getBulkheadConfig().getMaxConcurrentCalls()
                            + " requests, the most it admits; try again later.",
                    null);
        }
        return new Permit(memory, allowance, () -> {
            bulkhead.onComplete();
            leave.run();
        });
    }

    /** The number of requests that could be let in now. */
    public int available() {
        return bulkhead.getMetrics().getAvailableConcurrentCalls();
    }

    /** The bytes of bodies that there is room for now. */
    long availableBytes() {
        return memory.free();
    }
}
