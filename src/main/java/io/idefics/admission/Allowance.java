package io.idefics.admission;

import io.idefics.generation.GenerationException;
import io.idefics.generation.Work;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** What the limits allow to one request; its client is refused with {@link GenerationException.ErrorType#RATE_LIMITED}. */
public final class Allowance {

    /** Allows everything. */
    public static final Allowance UNLIMITED =
            new Allowance(Limits.unlimited(), "", new Quota(0, 0, 0, 0), Balances.UNLIMITED);

    /** Nobody knows when one of the requests that are running will end. */
    private static final Duration SOON = Duration.ofSeconds(1);

    private final Limits limits;
    private final String caller;
    private final Quota quota;
    private final Balances balances;

    Allowance(Limits limits, String caller, Quota quota, Balances balances) {
        this.limits = limits;
        this.caller = caller;
        this.quota = quota;
        this.balances = balances;
    }

    /** What was left when the request came, and had been counted. */
    public Balances balances() {
        return balances;
    }

    /** Why the request may not go on at all; null where it may. */
    public @Nullable GenerationException refusal() {
        Balance requests = balances.requests();
        return requests == null || requests.taken() ? null : refusedFor(Limit.REQUESTS, requests);
    }

    /**
     * Takes a place among the requests of the caller that run at the same time.
     *
     * @return gives it back, to be run once
     * @throws GenerationException where it has no place left, or no tokens
     */
    Runnable enter() {
        Balance tokens = balances.tokens();
        if (tokens != null && !tokens.taken()) {
            throw refusedFor(Limit.TOKENS, tokens);
        }
        if (quota.concurrent() == 0) {
            return () -> {};
        }
        if (!limits.places().take(caller, quota.concurrent())) {
            throw limits.refused(
                    Limit.CONCURRENT,
                    "The limit of " + quota.concurrent()
                            + " requests at the same time is reached; try again when one of them has ended.",
                    SOON);
        }
        return () -> limits.places().giveBack(caller);
    }

    /** Takes the pictures, for good; more than the limit never can be. */
    CompletionStage<Void> reserve(Work work) {
        int wanted = work.pictures();
        if (wanted == 0 || quota.pictures() == 0) {
            return CompletableFuture.completedFuture(null);
        }
        if (wanted > quota.pictures()) {
            return CompletableFuture.failedFuture(limits.refused(
                    Limit.PICTURES,
                    "The request has " + wanted + " pictures but the limit is " + quota.pictures()
                            + " pictures a minute.",
                    null));
        }
        return limits.counters().takePictures(caller, quota, wanted).thenAccept(balance -> {
            if (balance != null && !balance.taken()) {
                throw limits.refused(
                        Limit.PICTURES,
                        "The request has " + wanted + " pictures but of the limit of " + balance.limit()
                                + " pictures a minute only " + balance.remaining() + " are left; try again in "
                                + Balance.text(balance.retry()) + ".",
                        balance.retry());
            }
        });
    }

    /** Takes tokens, also where there are fewer left. */
    void charge(long tokens) {
        if (quota.tokens() > 0 && tokens > 0) {
            limits.counters().takeTokens(caller, quota, tokens);
        }
    }

    private GenerationException refusedFor(Limit limit, Balance balance) {
        return limits.refused(
                limit,
                "The limit of " + balance.limit() + " " + limit.label() + " a minute is reached; try again in "
                        + Balance.text(balance.retry()) + ".",
                balance.retry());
    }
}
