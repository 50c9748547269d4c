package io.idefics.admission;

import org.jspecify.annotations.Nullable;

/**
 * What is left of the limits of one caller, null for those that are off.
 *
 * @param requests after the request that asks was taken, if there was one left
 * @param tokens not yet charged for the request that asks
 * @param pictures without those of the request that asks
 */
public record Balances(@Nullable Balance requests, @Nullable Balance tokens, @Nullable Balance pictures) {

    /** No limits. */
    static final Balances UNLIMITED = new Balances(null, null, null);
}
