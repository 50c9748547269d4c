package io.idefics.generation;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** What a client may still have done, from which its requests take. */
public interface Account {

    /** An account without limits. */
    Account UNLIMITED = new Account() {
        @Override
        public CompletionStage<Void> reserve(Work work) {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public void beginWait() {}

        @Override
        public void endWait() {}

        @Override
        public void charge(long tokens) {}
    };

    /**
     * Takes room for work before it begins, before any picture is fetched. What was taken is given back when the request
     * has ended, except what counts by the minute.
     *
     * @return fails with a {@link GenerationException} where there is no room
     */
    CompletionStage<Void> reserve(Work work);

    /**
     * The request waits for others, such as image hosts, from now on, and leaves its place among those that are served to
     * others. It may wait for several things at a time.
     *
     * @throws GenerationException where too many requests wait
     */
    void beginWait();

    /**
     * What the request waited for is there; when that was the last of it, the request takes a place again.
     *
     * @throws GenerationException where there is none any more
     */
    void endWait();

    /** Charges tokens that were read or generated, however the request ended. */
    void charge(long tokens);
}
