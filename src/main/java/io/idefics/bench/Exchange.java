package io.idefics.bench;

import io.idefics.bench.Outcome.Answer;
import io.idefics.bench.Outcome.Failure;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** Takes the times of one answer as its events arrive. Thread-safe. */
final class Exchange implements AnswerListener {

    private final long start;
    private final LongSupplier clock;
    private final CompletableFuture<Outcome> outcome = new CompletableFuture<>();
    private final StringBuilder text = new StringBuilder();
    private @Nullable TokenUsage usage;
    private int chunks;
    private long first;
    private long last;
    private long maxGap;

    /**
     * @param start when the request is sent, or was due, by the clock
     * @param clock nanoseconds since any moment
     */
    Exchange(long start, LongSupplier clock) {
        this.start = start;
        this.clock = clock;
    }

    @Override
    public synchronized void text(String delta) {
        long now = clock.getAsLong();
        if (chunks == 0) {
            first = now;
        } else {
            maxGap = Math.max(maxGap, now - last);
        }
        last = now;
        chunks++;
        text.append(delta);
    }

    @Override
    public synchronized void usage(TokenUsage cost) {
        usage = cost;
    }

    @Override
    public synchronized void completed() {
        long end = clock.getAsLong();
        outcome.complete(new Answer(start, chunks == 0 ? end : first, end, chunks, maxGap, text.toString(), usage));
    }

    @Override
    public void failed(String status, String message) {
        outcome.complete(new Failure(clock.getAsLong(), status, message));
    }

    /** Waits for the end. A wait that is too long, or is interrupted, is a failure too. */
    Outcome await(Duration patience) {
        try {
            return outcome.get(patience.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            failed("timeout", "no complete answer within " + patience.toSeconds() + " s");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            failed("interrupted", "the wait was interrupted");
        } catch (ExecutionException e) {
            throw new IllegalStateException("an outcome is never an exception", e);
        }
        return outcome.join();
    }
}
