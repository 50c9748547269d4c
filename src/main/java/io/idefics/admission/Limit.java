package io.idefics.admission;

import java.util.Locale;

/** What each caller may only do so much of. */
public enum Limit {
    /** Requests a minute. */
    REQUESTS,
    /** Tokens of prompts and answers a minute. */
    TOKENS,
    /** Pictures a minute. */
    PICTURES,
    /** Requests at the same time. */
    CONCURRENT;

    /** The name in meters and headers. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
