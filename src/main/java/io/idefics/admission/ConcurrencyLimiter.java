package io.idefics.admission;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;

/** Bounds the number of requests that are served at the same time; nobody waits. */
public final class ConcurrencyLimiter {

    private final Bulkhead bulkhead;

    /**
     * Makes a limiter.
     *
     * @param bulkhead the count, which must refuse at once
     */
    public ConcurrencyLimiter(Bulkhead bulkhead) {
        this.bulkhead = bulkhead;
    }

    /**
     * Lets one request in.
     *
     * @return the permit, to be closed when the answer is written or abandoned
     * @throws GenerationException of type {@link ErrorType#OVERLOADED} where there is no room
     */
    public Permit acquire() {
        if (!bulkhead.tryAcquirePermission()) {
            throw new GenerationException(
                    ErrorType.OVERLOADED,
                    "The service is busy with " + bulkhead.getBulkheadConfig().getMaxConcurrentCalls()
                            + " requests, the most it admits; try again later.",
                    null);
        }
        return new Permit(bulkhead::onComplete);
    }

    /** The number of requests that could be let in now. */
    public int available() {
        return bulkhead.getMetrics().getAvailableConcurrentCalls();
    }
}
