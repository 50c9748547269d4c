package io.idefics.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The automaton of the texts that several automata have in common. All its states are found beforehand, since only then
 * it is known which of them lead to an end. Immutable.
 */
final class Intersection {

    /** What finding the ways on from a state takes, compared with a step. */
    private static final int WORK = 64;

    /** The most frames that are looked at for one state. */
    private static final int MAX_STATE_WORK = 100_000;

    private Intersection() {}

    /** What came of it: a first state, no text at all, or too many states. */
    record Result(@Nullable ByteState start, boolean tooLarge) {}

    /**
     * Finds the automaton.
     *
     * @param maxStates the most states that it may have
     */
    static Result of(List<ByteState> parts, int maxStates, CompileEffort effort) {
        Map<List<ByteState>, State> states = new HashMap<>();
        Deque<State> open = new ArrayDeque<>();
        State start = new State(parts);
        states.put(parts, start);
        open.add(start);
        while (!open.isEmpty()) {
            State state = open.remove();
            WalkBudget budget = new WalkBudget(MAX_STATE_WORK);
            for (int value = 0; value < 256; value++) {
                List<ByteState> next = next(state.parts, value, budget);
                if (next.isEmpty()) {
                    state.add(value, null);
                    continue;
                }
                State known = states.get(next);
                if (known == null) {
                    known = new State(next);
                    states.put(next, known);
                    open.add(known);
                }
                state.add(value, known);
            }
            state.finish();
            if (states.size() > maxStates || budget.isSpent() || !effort.tryWork(WORK + budget.work())) {
                return new Result(null, true);
            }
        }
        settle(states.values());
        return new Result(start.cost() < Node.IMPOSSIBLE ? start : null, false);
    }

    private static List<ByteState> next(List<ByteState> parts, int value, WalkBudget budget) {
        List<ByteState> next = new ArrayList<>(parts.size());
        for (ByteState part : parts) {
            ByteState after = part.next(value, budget);
            if (after == null) {
                return List.of();
            }
            next.add(after);
        }
        return next;
    }

    /** Computes the costs from the accepting states backwards. */
    private static void settle(Iterable<State> states) {
        Map<State, List<State>> before = new HashMap<>();
        Deque<State> open = new ArrayDeque<>();
        for (State state : states) {
            for (State next : state.following()) {
                before.computeIfAbsent(next, n -> new ArrayList<>()).add(state);
            }
            if (state.accepting()) {
                state.cost = 0;
                open.add(state);
            }
        }
        while (!open.isEmpty()) {
            State state = open.remove();
            for (State earlier : before.getOrDefault(state, List.of())) {
                if (earlier.cost == Node.IMPOSSIBLE) {
                    earlier.cost = state.cost + 1;
                    open.add(earlier);
                }
            }
        }
    }

    private static final class State extends ByteState {

        final List<ByteState> parts;
        int cost = Node.IMPOSSIBLE;

        /** The first bytes of the ranges that lead to one state, ascending, and these states. */
        private byte[] from = new byte[4];

        private @Nullable State[] to = new State[4];
        private int ranges;

        State(List<ByteState> parts) {
            this.parts = parts;
        }

        void add(int value, @Nullable State next) {
            if (ranges > 0 && to[ranges - 1] == next) {
                return;
            }
            if (ranges == from.length) {
                from = Arrays.copyOf(from, ranges * 2);
                to = Arrays.copyOf(to, ranges * 2);
            }
            from[ranges] = (byte) value;
            to[ranges++] = next;
        }

        void finish() {
            from = Arrays.copyOf(from, ranges);
            to = Arrays.copyOf(to, ranges);
        }

        Set<State> following() {
            Set<State> following = new LinkedHashSet<>();
            for (State state : to) {
                if (state != null) {
                    following.add(state);
                }
            }
            return following;
        }

        @Override
        @Nullable
        ByteState next(int value) {
            int range = 0;
            while (range + 1 < from.length && (from[range + 1] & 0xFF) <= value) {
                range++;
            }
            State next = to[range];
            return next == null || next.cost == Node.IMPOSSIBLE ? null : next;
        }

        @Override
        boolean accepting() {
            return parts.stream().allMatch(ByteState::accepting);
        }

        @Override
        int cost() {
            return cost;
        }
    }
}
