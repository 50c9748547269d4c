package io.idefics.grammar;

import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The automaton of the strings, with their quotes and without escapes, that are none of some names. Immutable.
 */
final class OtherNames {

    /** The bytes of characters in ASCII that stand for themselves in a JSON string, without the quote. */
    private static final int FIRST = ' ';

    private OtherNames() {}

    /**
     * The first state.
     *
     * @param names the names without quotes
     * @param anyPlain the automaton of all strings of plain characters, with their quotes
     */
    static ByteState of(Collection<String> names, ByteState anyPlain, CompileEffort effort) {
        ByteState inside = anyPlain.next('"');
        ByteState end = inside == null ? null : inside.next('"');
        if (inside == null || end == null) {
            throw new IllegalArgumentException("not an automaton of strings");
        }
        State root = new State(inside, end);
        for (String name : names) {
            effort.size(name.length());
            if (name.codePoints().allMatch(JsonText.UNESCAPED::contains)) {
                root.add(name.getBytes(StandardCharsets.UTF_8));
            }
        }
        root.settle();
        State start = new State(inside, end);
        start.opening = root;
        start.cost = Node.plus(1, root.cost);
        return start;
    }

    /** Before the opening quote, or behind the beginning of a name. */
    private static final class State extends ByteState {

        final Map<Integer, State> children = new HashMap<>();
        boolean name;

        @Nullable
        State opening;

        int cost = Node.IMPOSSIBLE;

        private final ByteState inside;
        private final ByteState end;

        State(ByteState inside, ByteState end) {
            this.inside = inside;
            this.end = end;
        }

        void add(byte[] bytes) {
            State at = this;
            for (byte value : bytes) {
                at = at.children.computeIfAbsent(value & 0xFF, v -> new State(inside, end));
                if (value < 0) {
                    return;
                }
            }
            at.name = true;
        }

        /** Computes the costs of this state and those behind it. */
        void settle() {
            int least = name ? Node.IMPOSSIBLE : 1;
            for (Map.Entry<Integer, State> child : children.entrySet()) {
                if (child.getKey() < 0x80) {
                    child.getValue().settle();
                    least = Math.min(least, Node.plus(1, child.getValue().cost));
                }
            }
            for (int value = FIRST; value < 0x7F && least > 2; value++) {
                if (value != '"' && value != '\\' && !children.containsKey(value)) {
                    least = 2;
                }
            }
            cost = least;
        }

        @Override
        @Nullable
        ByteState next(int value) {
            if (opening != null) {
                return value == '"' ? opening : null;
            }
            if (value == '"') {
                return name ? null : end;
            }
            State child = children.get(value);
            if (child == null) {
                return inside.next(value);
            }
            // A name that differs within a character from all others is left out, to keep within characters simple.
            return value < 0x80 ? child : null;
        }

        @Override
        boolean accepting() {
            return false;
        }

        @Override
        int cost() {
            return cost;
        }
    }
}
