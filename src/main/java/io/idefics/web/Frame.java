package io.idefics.web;

import org.jspecify.annotations.Nullable;

/**
 * A server-sent event.
 *
 * @param event its name; null for none
 * @param data what is written as JSON
 */
public record Frame(@Nullable String event, Object data) {

    /** An event without a name. */
    public static Frame of(Object data) {
        return new Frame(null, data);
    }
}
