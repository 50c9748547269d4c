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

    private final Deque<Frame> open = new ArrayDeque<>();
    private final Set<Frame> seen = new HashSet<>();
    private final Set<Frame> leaves = new LinkedHashSet<>();
    private final boolean countless;
    private boolean complete;

    Expansion() {
        this(false);
    }

    /**
     * Makes an empty one.
     *
     * @param countless whether all repetitions may go on and end at any time
     */
    Expansion(boolean countless) {
        this.countless = countless;
    }

    /** The frames found so far whose node is a leaf. */
    Set<Frame> leaves() {
        return leaves;
    }

    /** Whether the text may end. */
    boolean complete() {
        return complete;
    }

    /** How many frames were looked at. */
    int effort() {
        return seen.size();
    }

    void addLeaf(Frame frame) {
        leaves.add(frame);
    }

    /** Adds all that may come first in a frame. */
    void add(Frame frame) {
        visit(frame);
        while (!open.isEmpty()) {
            expand(open.pop());
        }
    }

    private void visit(Frame frame) {
        if (frame.cost < Node.IMPOSSIBLE && seen.add(frame)) {
            open.push(frame);
        }
    }

    private void expand(Frame frame) {
        int depth = frame.depth;
        boolean free = depth < MAX_DEPTH;
        Node node = frame.node;
        if (node instanceof End) {
            complete = true;
        } else if (node instanceof Sequence sequence) {
            int last = sequence.parts.size() - 1;
            if (last < 0) {
                visit(frame.below());
            } else {
                Frame rest = frame.index == last ? frame.below() : frame.at(frame.index + 1);
                visit(Frame.of(sequence.parts.get(frame.index), rest, depth));
            }
        } else if (node instanceof Choice choice) {
            for (int i = choice.alternatives.size() - 1; i >= 0; i--) {
                Node alternative = choice.alternatives.get(i);
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
        }
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
