package io.idefics.bench;

import java.time.Duration;

/** How much is asked. */
sealed interface Extent {

    /** So many requests. */
    record Requests(long count) implements Extent {}

    /** Requests that begin within this time. */
    record Lasting(Duration duration) implements Extent {}
}
