package io.idefics.grammar;

import java.util.List;

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

    /** How many tokens its cheapest text needs, at most. */
    private int cost = IMPOSSIBLE;

    private Node(int serial) {
        this.serial = serial;
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
            super(0);
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
            super(serial);
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
            super(serial);
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
            super(serial);
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

        /** Cost of the parts from each position on, computed when first asked for, after all costs are final. */
        private int[] costs = {};

        Sequence(int serial, List<Node> parts) {
            super(serial);
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
            int[] known = costs;
            if (known.length == 0) {
                known = new int[parts.size() + 1];
                for (int i = parts.size() - 1; i >= 0; i--) {
                    known[i] = plus(known[i + 1], parts.get(i).cost());
                }
                costs = known;
            }
            return known[index];
        }
    }

    /** A text of one of the alternatives. */
    static final class Choice extends Node {

        final List<Node> alternatives;

        Choice(int serial, List<Node> alternatives) {
            super(serial);
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
            super(serial);
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
            super(serial);
            this.rule = rule;
        }

        @Override
        int currentCost() {
            return rule.body().cost();
        }
    }
}
