package io.idefics.grammar;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A part of a grammar: a set of texts. Made by {@link Nodes}; the nodes of one grammar form a graph that leads back to
 * itself only through {@link Reference}s.
 */
abstract sealed class Node {

    /** The cost of what has no text. */
    static final int IMPOSSIBLE = 1 << 29;

    /** What the loop of a {@link Repeat} without an upper bound counts down from. */
    static final int UNBOUNDED = Integer.MAX_VALUE;

    /** Numbers the nodes of one grammar. */
    final int serial;

    /** Whether the empty text is one of it. */
    final boolean nullable;

    /** How many tokens its cheapest text needs, at most. */
    private int cost = IMPOSSIBLE;

    private Node(int serial, boolean nullable) {
        this.serial = serial;
        this.nullable = nullable;
    }

    final int cost() {
        return cost;
    }

    /** Computes the cost from those of the parts; returns whether it fell. */
    final boolean settle() {
        int before = cost;
        cost = Math.min(before, currentCost());
        return cost < before;
    }

    abstract int currentCost();

    static int plus(int a, int b) {
        return Math.min(IMPOSSIBLE, a + b);
    }

    static int times(int count, int cost) {
        return (int) Math.min(IMPOSSIBLE, (long) count * cost);
    }

    /** The bottom of every stack: the end of the text. */
    static final class End extends Node {

        static final End END = new End();

        private End() {
            super(0, true);
            settle();
        }

        @Override
        int currentCost() {
            return 0;
        }
    }

    /** One byte of a set. */
    static final class Bytes extends Node {

        final ByteSet set;

        Bytes(int serial, ByteSet set) {
            super(serial, false);
            this.set = set;
        }

        @Override
        int currentCost() {
            return set.isEmpty() ? IMPOSSIBLE : 1;
        }
    }

    /** Some bytes in a row, at least one. */
    static final class Literal extends Node {

        final byte[] bytes;

        /** The tokens that the bytes from each position on need. */
        final int[] costs;

        Literal(int serial, byte[] bytes, int[] costs) {
            super(serial, false);
            this.bytes = bytes;
            this.costs = costs;
        }

        @Override
        int currentCost() {
            return costs[0];
        }
    }

    /** A text of an automaton. */
    static final class Terminal extends Node {

        final ByteState start;

        Terminal(int serial, ByteState start) {
            super(serial, false);
            this.start = start;
        }

        @Override
        int currentCost() {
            return start.cost();
        }
    }

    /** A text of each part, one after the other. */
    static final class Sequence extends Node {

        final List<Node> parts;

        /** What is known of the parts from each position on, found when first asked for, after all costs are final. */
        private volatile @Nullable Rest rest;

        /**
         * By position.
         *
         * @param costs the cost of the parts from there on
         * @param solid the first part from there on that costs anything; the number of parts if none does
         */
        private record Rest(int[] costs, int[] solid) {}

        Sequence(int serial, List<Node> parts) {
            super(serial, parts.stream().allMatch(part -> part.nullable));
            this.parts = parts;
        }

        @Override
        int currentCost() {
            int sum = 0;
            for (Node part : parts) {
                sum = plus(sum, part.cost());
            }
            return sum;
        }

        int costFrom(int index) {
            return rest().costs[index];
        }

        int solidFrom(int index) {
            return rest().solid[index];
        }

        private Rest rest() {
            Rest known = rest;
            if (known == null) {
                int size = parts.size();
                known = new Rest(new int[size + 1], new int[size + 1]);
                known.solid[size] = size;
                for (int i = size - 1; i >= 0; i--) {
                    known.costs[i] = plus(known.costs[i + 1], parts.get(i).cost());
                    known.solid[i] = parts.get(i).cost() > 0 ? i : known.solid[i + 1];
                }
                rest = known;
            }
            return known;
        }
    }

    /** A text of one of the alternatives. */
    static final class Choice extends Node {

        final List<Node> alternatives;

        Choice(int serial, List<Node> alternatives) {
            super(serial, alternatives.stream().anyMatch(alternative -> alternative.nullable));
            this.alternatives = alternatives;
        }

        @Override
        int currentCost() {
            int least = IMPOSSIBLE;
            for (Node alternative : alternatives) {
                least = Math.min(least, alternative.cost());
            }
            return least;
        }
    }

    /** Texts of the body, which is never empty, {@code min} to {@code max} times. */
    static final class Repeat extends Node {

        final Node body;
        final int min;
        final int max;

        Repeat(int serial, Node body, int min, int max) {
            super(serial, min == 0);
            this.body = body;
            this.min = min;
            this.max = max;
        }

        @Override
        int currentCost() {
            return times(min, body.cost());
        }
    }

    /** A text of a rule, which may refer to itself. */
    static final class Reference extends Node {

        final Rule rule;

        Reference(int serial, Rule rule) {
            super(serial, false);
            this.rule = rule;
        }

        @Override
        int currentCost() {
            return rule.body().cost();
        }
    }
}
