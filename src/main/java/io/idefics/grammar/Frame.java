package io.idefics.grammar;

import io.idefics.grammar.Node.End;
import io.idefics.grammar.Node.Literal;
import io.idefics.grammar.Node.Repeat;
import io.idefics.grammar.Node.Sequence;
import org.jspecify.annotations.Nullable;

/**
 * What is still to come: the rest of one node, then that of the frame below, down to the end of the text. Immutable.
 */
final class Frame {

    static final Frame END = new Frame(End.END, 0, 0, 0, null, 0);

    final Node node;

    /** The part of a sequence that is next, or the byte of a literal. */
    final int index;

    /** How often a repetition must go on at least; only for repetitions. */
    final int toMin;

    /** How often a repetition may go on at most; only for repetitions. */
    final int toMax;

    /** The frame below; null for the end of the text alone. */
    private final @Nullable Frame below;

    /** The level of nesting of the node. */
    final int depth;

    /** How many tokens the cheapest text of this frame and all below needs, at most. */
    final int cost;

    private final int hash;

    private Frame(Node node, int index, int toMin, int toMax, @Nullable Frame below, int depth) {
        this.node = node;
        this.index = index;
        this.toMin = toMin;
        this.toMax = toMax;
        this.below = below;
        this.depth = depth;
        this.cost = Node.plus(ownCost(), below == null ? 0 : below.cost);
        int own = ((node.serial * 31 + index) * 31 + toMin) * 31 + toMax;
        this.hash = (own * 31 + depth) * 31 + (below == null ? 0 : below.hash);
    }

    /** The whole of a node, then a frame. */
    static Frame of(Node node, Frame below, int depth) {
        return node instanceof Repeat repeat
                ? new Frame(node, 0, repeat.min, repeat.max, below, depth)
                : new Frame(node, 0, 0, 0, below, depth);
    }

    /** This node from another part or byte on. */
    Frame at(int newIndex) {
        return new Frame(node, newIndex, 0, 0, below, depth);
    }

    /** This repetition with other bounds. */
    Frame bounded(int newMin, int newMax) {
        return new Frame(node, 0, newMin, newMax, below, depth);
    }

    /** This frame on another one. */
    Frame on(Frame newBelow) {
        return new Frame(node, index, toMin, toMax, newBelow, depth);
    }

    Frame below() {
        if (below == null) {
            throw new IllegalStateException("nothing is below the end");
        }
        return below;
    }

    private int ownCost() {
        if (node instanceof Literal literal) {
            return literal.costs[index];
        }
        if (node instanceof Sequence sequence) {
            return sequence.costFrom(index);
        }
        return node instanceof Repeat repeat ? Node.times(toMin, repeat.body.cost()) : node.cost();
    }

    @Override
    public boolean equals(@Nullable Object object) {
        return object instanceof Frame other
                && (this == other
                        || hash == other.hash
                                && node == other.node
                                && index == other.index
                                && toMin == other.toMin
                                && toMax == other.toMax
                                && depth == other.depth
                                && (below == null ? other.below == null : below.equals(other.below)));
    }

    @Override
    public int hashCode() {
        return hash;
    }
}
