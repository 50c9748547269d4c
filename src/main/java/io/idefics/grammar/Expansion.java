package io.idefics.grammar;

import io.idefics.grammar.Node.Choice;
import io.idefics.grammar.Node.End;
import io.idefics.grammar.Node.Reference;
import io.idefics.grammar.Node.Repeat;
import io.idefics.grammar.Node.Sequence;
import io.idefics.grammar.Node.Terminal;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Finds what may come first in a frame: follows choices, repetitions and references to all bytes, literals and
 * terminals that the text may go on with. Not thread-safe.
 */
final class Expansion {

    /**
     * Where rules are nested deeper than this, only the cheapest text is left, which ends the nesting: parsers have
     * limits, and a text that cannot end would be cut off.
     */
    static final int MAX_DEPTH = 48;

    /** The most frames that are looked at. */
    private static final int MAX_FRAMES = 50_000;

    private final Deque<Frame> open = new ArrayDeque<>();
    private final Set<Frame> seen = new HashSet<>();
    private final Set<Frame> leaves = new LinkedHashSet<>();
    private final boolean countless;
    private final int limit;
    private boolean complete;
    private boolean cut;
    private int expanded;

    Expansion() {
        this(false, MAX_FRAMES);
    }

    /**
     * Makes an empty one.
     *
     * @param countless whether all repetitions may go on and end at any time
     * @param limit the most frames that are looked at, but for the cheapest way on from each one that is added
     */
    Expansion(boolean countless, int limit) {
        this.countless = countless;
        this.limit = limit;
    }

    /** The frames found so far whose node is a leaf. */
    Set<Frame> leaves() {
        return leaves;
    }

    /** Whether the text may end. */
    boolean complete() {
        return complete;
    }

    /** Whether frames were left out. */
    boolean cut() {
        return cut;
    }

    /** How many frames were looked at. */
    int effort() {
        return expanded;
    }

    void addLeaf(Frame frame) {
        leaves.add(frame);
    }

    /** Adds all that may come first in a frame. */
    void add(Frame frame) {
        visit(frame);
        boolean cheapestFound = false;
        for (Frame next = open.poll(); next != null; next = open.poll()) {
            if (expanded >= limit) {
                cut = true;
                if (cheapestFound || next.cost > frame.cost) {
                    seen.remove(next); // another frame may need it for its cheapest way
                    continue;
                }
            }
            expanded++;
            cheapestFound |= expand(next) && next.cost == frame.cost;
        }
    }

    private void visit(Frame frame) {
        if (frame.cost < Node.IMPOSSIBLE && seen.add(frame)) {
            open.push(frame);
        }
    }

    /** Finds what a frame begins with; returns whether the frame is an end of the search. */
    private boolean expand(Frame frame) {
        int depth = frame.depth;
        boolean free = depth < MAX_DEPTH;
        Node node = frame.node;
        if (node instanceof End) {
            complete = true;
            return true;
        } else if (node instanceof Sequence sequence) {
            expand(frame, sequence);
        } else if (node instanceof Choice choice) {
            for (Node alternative : choice.alternatives) {
                if (free || alternative.cost() == choice.cost()) {
                    visit(Frame.of(alternative, frame.below(), depth));
                }
            }
        } else if (node instanceof Repeat repeat) {
            expand(frame, repeat, free);
        } else if (node instanceof Reference reference) {
            visit(Frame.of(reference.rule.body(), frame.below(), reference.rule.nests ? depth + 1 : depth));
        } else {
            leaves.add(frame);
            if (node instanceof Terminal terminal && terminal.start.accepting()) {
                visit(frame.below());
            }
            return true;
        }
        return false;
    }

    private void expand(Frame frame, Sequence sequence) {
        int size = sequence.parts.size();
        if (frame.index == size) {
            visit(frame.below());
            return;
        }
        visitPart(frame, sequence, frame.index);
        // Straight to what the cheapest text begins with, past many parts that may be empty.
        int solid = sequence.solidFrom(frame.index);
        if (solid == size) {
            visit(frame.below());
        } else if (solid > frame.index) {
            visitPart(frame, sequence, solid);
        }
    }

    private void visitPart(Frame frame, Sequence sequence, int index) {
        Frame rest = index + 1 == sequence.parts.size() ? frame.below() : frame.at(index + 1);
        visit(Frame.of(sequence.parts.get(index), rest, frame.depth));
    }

    private void expand(Frame frame, Repeat repeat, boolean free) {
        boolean mayEnd = frame.toMin == 0 || countless;
        if (mayEnd) {
            visit(frame.below());
        }
        if (countless) {
            visit(Frame.of(repeat.body, frame.bounded(0, Node.UNBOUNDED), frame.depth));
        } else if (frame.toMax > 0 && (free || !mayEnd)) {
            int toMax = frame.toMax == Node.UNBOUNDED ? Node.UNBOUNDED : frame.toMax - 1;
            visit(Frame.of(repeat.body, frame.bounded(Math.max(0, frame.toMin - 1), toMax), frame.depth));
        }
    }
}
