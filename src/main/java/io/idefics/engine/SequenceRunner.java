package io.idefics.engine;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;

/**
 * One replica of a model at work: it loads the model, runs sequences on it until it is closed or fails, and frees it. A
 * runner that has ended is not started again; another one takes its place.
 *
 * @param <T> what a sequence gives out
 */
public interface SequenceRunner<T> extends AutoCloseable {

    /** Runs a sequence when its turn comes; cancelling the stream stops it before its next step. */
    Flux<T> generate(SequenceRequest request);

    /** Completes when the model is loaded; fails with the reason when it cannot be. */
    CompletableFuture<Void> ready();

    /**
     * Completes when nothing runs any more and the model is freed: normally after closing, exceptionally with the reason
     * when it could not be loaded or has failed since. A {@link DeviceLostException} says that another try is in vain.
     */
    CompletableFuture<Void> ended();

    /** Why it could not be loaded, or has failed since; null unless one of them happened. */
    @Nullable
    Throwable failure();

    /** Whether the model is loaded and sequences make progress; false for the time that a step hangs. */
    boolean isAlive();

    /** The number of sequences that hold a place in the batch. */
    int runningSequences();

    /** The number of sequences that wait for their turn. */
    int waitingSequences();

    /** What was counted up to the last step; any thread may ask. */
    default EngineStats stats() {
        return EngineStats.NONE;
    }

    /** Ends it and frees the model; waits for a running step, but not for one that hangs. At once when it has ended. */
    @Override
    void close();
}
