package io.idefics.service;

import io.idefics.tokenizer.IncrementalDecoder;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The ids of one answer to the pieces of its text, up to the first stop string. Not thread-safe.
 *
 * <p>The pieces together never contain a stop string, and none is half a character. The stop string that is complete
 * first wins; of several that end at the same character, the longest.
 */
public final class TextStream {

    /*
     * Each stop string is matched by a Knuth-Morris-Pratt automaton, so each character costs constant time per stop
     * string, however the text is cut into tokens. The longest partial match over all stop strings is exactly the text
     * that may still turn out to be the beginning of one; it is held back, the rest is given out.
     *
     * Text that the decoder holds back (an open run of byte tokens) is looked at too: if it completes a stop string,
     * the answer ends now and not one token later, as it would for a stop string that ends in a line feed.
     */

    private final IncrementalDecoder decoder;
    private final boolean includeStop;
    private final List<StopString> stops;

    /** The state of each automaton: how many characters of its stop string the text ends in. */
    private final int[] matched;

    private final StringBuilder held = new StringBuilder();
    private int decoded;
    private int decodedCodePoints;
    private @Nullable String reached;

    /**
     * @param decoder a fresh decoder, owned by this stream
     * @param stop the stop strings; empty ones and those with half a surrogate pair never match
     */
    public TextStream(IncrementalDecoder decoder, List<String> stop) {
        this(decoder, stop, false);
    }

    /** @param includeStop whether the stop string is part of the text */
    TextStream(IncrementalDecoder decoder, List<String> stop, boolean includeStop) {
        this.decoder = decoder;
        this.includeStop = includeStop;
        this.stops = stop.stream()
                .filter(text -> !text.isEmpty() && isWellFormed(text))
                .map(StopString::new)
                .toList();
        this.matched = new int[stops.size()];
    }

    /** Takes the next id and returns the text that is certain now, often empty; always empty once stopped. */
    public String append(int id) {
        if (stopped()) {
            return "";
        }
        String text = accept(decoder.append(id));
        if (!stopped() && !stops.isEmpty()) {
            String pending = decoder.pending();
            if (completesStop(pending)) {
                return text + accept(pending);
            }
        }
        return text;
    }

    /** Whether a stop string was reached: the answer is complete and no further id is needed. */
    public boolean stopped() {
        return reached != null;
    }

    /** The stop string that was reached; null for none. */
    @Nullable
    String reached() {
        return reached;
    }

    /** How many characters the ids so far have given, whether given out or held back; half characters do not count. */
    public int decoded() {
        return decoded;
    }

    /** The same in code points. */
    int decodedCodePoints() {
        return decodedCodePoints;
    }

    /** Ends the answer and returns the rest of its text; a stop string may be reached here too. */
    public String finish() {
        if (stopped()) {
            return "";
        }
        String text = accept(decoder.finish());
        if (stopped()) {
            return text;
        }
        String rest = text + held;
        held.setLength(0);
        Arrays.fill(matched, 0);
        return rest;
    }

    /** Moves the automata over the text and returns what they no longer hold back. */
    private String accept(String text) {
        decoded += text.length();
        decodedCodePoints += text.codePointCount(0, text.length());
        for (int i = 0; i < text.length(); i++) {
            held.append(text.charAt(i));
            int length = advance(matched, text.charAt(i));
            if (length > 0) {
                reached = held.substring(held.length() - length);
                return release(held.length() - (includeStop ? 0 : length));
            }
        }
        int longest = 0;
        for (int state : matched) {
            longest = Math.max(longest, state);
        }
        return release(held.length() - longest);
    }

    private String release(int count) {
        String text = held.substring(0, count);
        held.delete(0, count);
        return text;
    }

    private boolean completesStop(String text) {
        int[] states = matched.clone();
        return text.chars().anyMatch(c -> advance(states, (char) c) > 0);
    }

    /** Moves every automaton by one character; returns the length of the longest stop string now complete, or 0. */
    private int advance(int[] states, char c) {
        int complete = 0;
        for (int i = 0; i < states.length; i++) {
            StopString stop = stops.get(i);
            states[i] = stop.next(states[i], c);
            if (states[i] == stop.length()) {
                complete = Math.max(complete, stop.length());
            }
        }
        return complete;
    }

    private static boolean isWellFormed(String text) {
        return text.codePoints().noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
    }

    /** The automaton of one stop string. */
    private static final class StopString {

        private final String text;

        /** For each count of matched characters the length of the longest shorter prefix that is also their suffix. */
        private final int[] fallback;

        StopString(String text) {
            this.text = text;
            this.fallback = new int[text.length() + 1];
            int prefix = 0;
            for (int i = 1; i < text.length(); i++) {
                prefix = next(prefix, text.charAt(i));
                fallback[i + 1] = prefix;
            }
        }

        int length() {
            return text.length();
        }

        /** The count of matched characters after one more; never called on a complete match. */
        int next(int state, char c) {
            int length = state;
            while (length > 0 && text.charAt(length) != c) {
                length = fallback[length];
            }
            return text.charAt(length) == c ? length + 1 : 0;
        }
    }
}
