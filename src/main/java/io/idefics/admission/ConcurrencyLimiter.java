package io.idefics.admission;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;

/** Bounds the number of requests that are served at the same time, their work and the memory of their bodies; nobody waits. */
public final class ConcurrencyLimiter {

    private final Bulkhead bulkhead;
    private final Budget memory;
    private final Budget work;
    private final PriorityShares shares;
    private final Arrivals arrivals;
    private final Budget waiting;
    private final Map<Refusal, LongAdder> refusals = new EnumMap<>(Refusal.class);

    /**
     * Makes a limiter.
     *
     * @param bulkhead the count, which must refuse at once
     * @param bodyBytes the most bytes of all bodies together
     * @param workTokens the most tokens that all requests together may take
     * @param shares how much of requests and tokens each priority may use
     * @param arrivals the requests whose bodies are on their way
     * @param maxWaiting the most requests that wait for their pictures, which others are served in the place of
     */
    public ConcurrencyLimiter(
            Bulkhead bulkhead,
            long bodyBytes,
            long workTokens,
            PriorityShares shares,
            Arrivals arrivals,
            int maxWaiting) {
        this.bulkhead = bulkhead;
        this.memory = new Budget(bodyBytes);
        this.work = new Budget(workTokens);
        this.shares = shares;
        this.arrivals = arrivals;
        this.waiting = new Budget(maxWaiting);
        for (Refusal refusal : Refusal.values()) {
            refusals.put(refusal, new LongAdder());
        }
    }

    /**
     * Lets one request in.
     *
     * @return the permit, to be closed when the answer is written or abandoned
     * @throws GenerationException of type {@link ErrorType#OVERLOADED} where there is no room
     */
    public Permit acquire(Priority priority) {
        return acquire(priority, Allowance.UNLIMITED);
    }

    /**
     * Lets one request in, for which its caller must have tokens left and a place among its own requests.
     *
     * @return the permit, to be closed when the answer is written or abandoned
     * @throws GenerationException of type {@link ErrorType#RATE_LIMITED} where the caller has done what it may, and
     *     {@link ErrorType#OVERLOADED} where there is no room
     */
    public Permit acquire(Priority priority, Allowance allowance) {
        Runnable leave = allowance.enter();
        shares.come(priority);
        long most = shares.most(maxRequests(), priority);
        if (!tryAcquire(most)) {
            leave.run();
            String of = most < maxRequests() ? " of this priority" : "";
            throw refusal(Refusal.REQUESTS, "The service is busy with " + most + " requests, the most it admits" + of);
        }
        return new Permit(this, priority, allowance, leave);
    }

    /** Takes a place for a request that had left its own while its body or pictures were on the way; tells whether there was one. */
    boolean comeBack(Priority priority) {
        return tryAcquire(shares.most(maxRequests(), priority));
    }

    /** Gives the place of a request back. */
    void leave() {
        bulkhead.onComplete();
    }

    Arrivals arrivals() {
        return arrivals;
    }

    /** The places of requests that wait for their pictures. */
    Budget waiting() {
        return waiting;
    }

    /** Counts a refusal and tells the client of it. */
    GenerationException refusal(Refusal reason, String message) {
        adder(reason).increment();
        return new GenerationException(ErrorType.OVERLOADED, message + "; try again later.", null);
    }

    /** Synchronized so that of those who come at the same time no more get in than may. */
    private synchronized boolean tryAcquire(long most) {
        return requests() < most && bulkhead.tryAcquirePermission();
    }

    Budget memory() {
        return memory;
    }

    Budget work() {
        return work;
    }

    /** The most tokens that requests may have taken once one of that priority has taken its own. */
    long mostTokens(Priority priority) {
        return shares.most(work.capacity(), priority);
    }

    /** The number of requests that could be let in now. */
    public int available() {
        return bulkhead.getMetrics().getAvailableConcurrentCalls();
    }

    /** The number of requests that are in. */
    public int requests() {
        return maxRequests() - available();
    }

    /** The most requests that are in at the same time. */
    public int maxRequests() {
        return bulkhead.getMetrics().getMaxAllowedConcurrentCalls();
    }

    /** The tokens that the requests have taken. */
    public long tokens() {
        return work.taken();
    }

    /** The most tokens that the requests may take together. */
    public long maxTokens() {
        return work.capacity();
    }

    /** The bytes of the bodies of the requests. */
    public long bodyBytes() {
        return memory.taken();
    }

    /** The most bytes of all bodies together. */
    public long maxBodyBytes() {
        return memory.capacity();
    }

    /** The number of requests whose bodies are on their way, which are not in. */
    public int arriving() {
        return arrivals.size();
    }

    /** The number of requests that wait for their pictures, which are not in. */
    public int fetching() {
        return (int) waiting.taken();
    }

    /** How many bodies lost their places to others since the start. */
    public long displaced() {
        return arrivals.displaced();
    }

    /** How often a request was refused for that reason. */
    public long refused(Refusal reason) {
        return adder(reason).sum();
    }

    private LongAdder adder(Refusal reason) {
        return Objects.requireNonNull(refusals.get(reason));
    }
}
