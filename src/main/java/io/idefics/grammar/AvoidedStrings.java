package io.idefics.grammar;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The automaton of all texts in which none of some strings occurs: that of Aho and Corasick (1975), with the beginnings of
 * characters told from whole ones. Such a text may end after each character. Safe for use by several threads.
 */
final class AvoidedStrings {

    private static final Object DEAD = new Object();

    /** A node of the trie of the strings. */
    private static final class Prefix {

        final Map<Integer, Prefix> children = new HashMap<>();
        /** The longest other prefix that this one ends in; the root for itself. */
        Prefix fallback = this;

        boolean avoided;

        final Map<Utf8State, Object> states = new ConcurrentHashMap<>();

        Prefix next(int value) {
            Prefix at = this;
            while (true) {
                Prefix child = at.children.get(value);
                if (child != null) {
                    return child;
                }
                if (at.fallback == at) {
                    return at;
                }
                at = at.fallback;
            }
        }
    }

    private AvoidedStrings() {}

    /** The first state, for strings that are not empty. */
    static ByteState of(List<String> strings, CompileEffort effort) {
        Prefix root = new Prefix();
        for (String string : strings) {
            Prefix at = root;
            byte[] bytes = string.getBytes(StandardCharsets.UTF_8);
            effort.size(bytes.length);
            for (byte value : bytes) {
                at = at.children.computeIfAbsent(value & 0xFF, v -> new Prefix());
            }
            at.avoided = true;
        }
        root.children.values().forEach(child -> child.fallback = root);
        Deque<Prefix> open = new ArrayDeque<>(root.children.values());
        while (!open.isEmpty()) {
            Prefix prefix = open.remove();
            prefix.avoided |= prefix.fallback.avoided;
            prefix.children.forEach((value, child) -> {
                child.fallback = prefix.fallback.next(value);
                open.add(child);
            });
        }
        return (State) state(root, Utf8State.BOUNDARY);
    }

    /** The state after a byte has led somewhere, or {@link #DEAD}. */
    private static Object state(Prefix prefix, Utf8State utf8) {
        if (prefix.avoided) {
            return DEAD;
        }
        Object known = prefix.states.get(utf8);
        if (known == null) {
            int cost = cost(prefix, utf8);
            Object made = cost >= Node.IMPOSSIBLE ? DEAD : new State(prefix, utf8, cost);
            Object earlier = prefix.states.putIfAbsent(utf8, made);
            known = earlier == null ? made : earlier;
        }
        return known;
    }

    /** The bytes that the begun character still needs, such that no string is completed. */
    private static int cost(Prefix prefix, Utf8State utf8) {
        if (utf8 == Utf8State.BOUNDARY) {
            return 0;
        }
        // All ways take equally many bytes.
        for (int value = 0x80; value <= 0xBF; value++) {
            Utf8State after = utf8.next(value);
            if (after != null && state(prefix.next(value), after) instanceof State state) {
                return 1 + state.cost;
            }
        }
        return Node.IMPOSSIBLE;
    }

    private static final class State extends ByteState {

        private final Prefix prefix;
        private final Utf8State utf8;
        private final int cost;

        State(Prefix prefix, Utf8State utf8, int cost) {
            this.prefix = prefix;
            this.utf8 = utf8;
            this.cost = cost;
        }

        @Override
        @Nullable
        ByteState next(int value) {
            Utf8State after = utf8.next(value);
            return after != null && state(prefix.next(value), after) instanceof State state ? state : null;
        }

        @Override
        boolean accepting() {
            return utf8 == Utf8State.BOUNDARY;
        }

        @Override
        int cost() {
            return cost;
        }
    }
}
