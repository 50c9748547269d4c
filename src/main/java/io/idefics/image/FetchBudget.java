package io.idefics.image;

import io.idefics.image.FetchException.Outcome;

/** How many bytes the pictures of one request of a client may have together. */
public final class FetchBudget {

    private final String client;
    private final long limit;
    private long taken; // guarded by this

    FetchBudget(String client, long limit) {
        this.client = client;
        this.limit = limit;
    }

    /** Whose request it is. */
    String client() {
        return client;
    }

    /** Takes bytes out of the budget, if so many are left. */
    synchronized boolean tryTake(long bytes) {
        if (bytes > limit - taken) {
            return false;
        }
        taken += bytes;
        return true;
    }

    /** Gives bytes back that were not kept. */
    synchronized void giveBack(long bytes) {
        taken -= bytes;
    }

    synchronized long left() {
        return limit - taken;
    }

    /** What to say when so many bytes are not left. */
    FetchException exceeded() {
        return FetchException.of(
                Outcome.TOO_LARGE,
                "the images of this request have more bytes together than the limit of " + limit + " bytes");
    }
}
