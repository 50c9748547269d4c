package io.idefics.bench;

import org.jspecify.annotations.Nullable;

/**
 * Lines to server-sent events, after the event stream format of the HTML standard (section 9.2.6). Comments,
 * {@code id} and {@code retry} are dropped.
 */
final class SseParser {

    private static final String BYTE_ORDER_MARK = "\uFEFF";

    /**
     * An event.
     *
     * @param type its name, {@code message} where none is given
     * @param data its data lines, joined by line feeds
     */
    record Event(String type, String data) {}

    private final StringBuilder data = new StringBuilder();
    private boolean hasData;
    private boolean begun;
    private String type = "";

    /** Takes the next line, without its end; returns the event that it completes, if it completes one. */
    @Nullable
    Event line(String line) {
        String rest = !begun && line.startsWith(BYTE_ORDER_MARK) ? line.substring(1) : line;
        begun = true;
        if (rest.isEmpty()) {
            return dispatch();
        }
        int colon = rest.indexOf(':');
        String field = colon < 0 ? rest : rest.substring(0, colon);
        String value = colon < 0 ? "" : rest.substring(colon + 1);
        if (value.startsWith(" ")) {
            value = value.substring(1);
        }
        switch (field) {
            case "data" -> {
                if (hasData) {
                    data.append('\n');
                }
                data.append(value);
                hasData = true;
            }
            case "event" -> type = value;
            default -> {}
        }
        return null;
    }

    private @Nullable Event dispatch() {
        Event event = hasData ? new Event(type.isEmpty() ? "message" : type, data.toString()) : null;
        data.setLength(0);
        hasData = false;
        type = "";
        return event;
    }
}
