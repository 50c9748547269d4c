package io.idefics.admission;

import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What callers have done in the current minute.
 *
 * <p>The minutes of a caller follow each other from its first request on. With each all of the limit is there again, less
 * what an answer took beyond that of the minutes before.
 */
interface Counters {

    /** Takes one request, if there is one left, and looks at the rest. */
    CompletionStage<Balances> takeRequest(String caller, Quota quota);

    /** Takes all of so many pictures, or none of them; null where that limit is off. */
    CompletionStage<@Nullable Balance> takePictures(String caller, Quota quota, int pictures);

    /** Takes tokens, also where there are fewer left. */
    void takeTokens(String caller, Quota quota, long tokens);
}
