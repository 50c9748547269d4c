package io.idefics.grammar;

import java.util.ArrayList;
import java.util.List;

/** A regular expression over code points, with anchors. Immutable. */
sealed interface Regex {

    /** The empty text. */
    Regex EMPTY = new Concatenation(List.of());

    /** No text. */
    Regex NOTHING = new Union(List.of());

    /** Any text. */
    Regex ANYTHING = new Loop(new Characters(CodePoints.ALL), 0, Node.UNBOUNDED);

    /** One character of a set. */
    record Characters(CodePoints set) implements Regex {}

    record Concatenation(List<Regex> parts) implements Regex {}

    record Union(List<Regex> alternatives) implements Regex {}

    record Loop(Regex body, int min, int max) implements Regex {}

    /** The beginning or the end of the text. */
    record Anchor(boolean atStart) implements Regex {}

    static Regex sequence(List<Regex> parts) {
        List<Regex> kept = new ArrayList<>();
        for (Regex part : parts) {
            if (part.equals(NOTHING)) {
                return NOTHING;
            }
            if (!part.equals(EMPTY)) {
                kept.add(part);
            }
        }
        return kept.size() == 1 ? kept.get(0) : new Concatenation(kept);
    }

    static Regex union(List<Regex> alternatives) {
        List<Regex> kept =
                alternatives.stream().filter(part -> !part.equals(NOTHING)).toList();
        return kept.size() == 1 ? kept.get(0) : new Union(kept);
    }

    /** A body without anchors so many times. */
    static Regex loop(Regex body, int min, int max) {
        if (body.equals(NOTHING)) {
            return min == 0 ? EMPTY : NOTHING;
        }
        return max == 0 ? EMPTY : new Loop(body, min, max);
    }

    /** The texts as a whole that this expression describes; anchors hold at the ends of the text. */
    default Regex whole() {
        return atEdge(true).atEdge(false);
    }

    /** The texts in which this expression is found somewhere. */
    default Regex search() {
        Regex begun = union(List.of(atEdge(true), sequence(List.of(ANYTHING, withoutAnchor(true)))));
        return union(List.of(begun.atEdge(false), sequence(List.of(begun.withoutAnchor(false), ANYTHING))));
    }

    /**
     * The texts of this expression where it stands at the beginning, or the end, of everything: the anchors of that side
     * hold as long as nothing has come between.
     */
    private Regex atEdge(boolean start) {
        if (this instanceof Anchor anchor) {
            return anchor.atStart() == start ? EMPTY : this;
        }
        if (!hasAnchor(start)) {
            return this;
        }
        if (this instanceof Union union) {
            return union(union.alternatives().stream()
                    .map(part -> part.atEdge(start))
                    .toList());
        }
        List<Regex> parts = ((Concatenation) this).parts();
        List<Regex> inner =
                parts.stream().map(part -> part.withoutAnchor(start)).toList();
        List<Regex> alternatives = new ArrayList<>();
        for (int i = 0; i < parts.size(); i++) {
            int at = start ? i : parts.size() - 1 - i;
            Regex here = parts.get(at).atEdge(start);
            Regex rest = sequence(start ? inner.subList(at + 1, parts.size()) : inner.subList(0, at));
            boolean nullable = here.isNullable();
            alternatives.add(inOrder(start, nullable ? here.nonEmpty() : here, rest));
            if (!nullable) {
                return union(alternatives);
            }
        }
        alternatives.add(EMPTY);
        return union(alternatives);
    }

    private static Regex inOrder(boolean start, Regex edge, Regex rest) {
        return sequence(start ? List.of(edge, rest) : List.of(rest, edge));
    }

    /** Whether the anchor of the beginning or that of the end is part of this; repetitions have none. */
    private boolean hasAnchor(boolean start) {
        if (this instanceof Anchor anchor) {
            return anchor.atStart() == start;
        }
        if (this instanceof Union union) {
            return union.alternatives().stream().anyMatch(part -> part.hasAnchor(start));
        }
        return this instanceof Concatenation concatenation
                && concatenation.parts().stream().anyMatch(part -> part.hasAnchor(start));
    }

    /** Whether an anchor is part of this. */
    default boolean hasAnchor() {
        return hasAnchor(true) || hasAnchor(false);
    }

    /** The texts of this expression but the empty one. */
    private Regex nonEmpty() {
        if (!isNullable()) {
            return this;
        }
        if (this instanceof Union union) {
            return union(union.alternatives().stream().map(Regex::nonEmpty).toList());
        }
        if (this instanceof Loop loop) {
            Regex body = loop.body().nonEmpty();
            return sequence(List.of(body, loop(body, 0, less(loop.max()))));
        }
        List<Regex> parts = ((Concatenation) this).parts();
        List<Regex> alternatives = new ArrayList<>();
        for (int i = 0; i < parts.size(); i++) {
            alternatives.add(sequence(List.of(parts.get(i).nonEmpty(), sequence(parts.subList(i + 1, parts.size())))));
        }
        return union(alternatives);
    }

    /** The texts that do not need the anchor. */
    private Regex withoutAnchor(boolean start) {
        if (this instanceof Anchor anchor) {
            return anchor.atStart() == start ? NOTHING : this;
        }
        if (this instanceof Union union) {
            return union(union.alternatives().stream()
                    .map(part -> part.withoutAnchor(start))
                    .toList());
        }
        if (this instanceof Concatenation concatenation) {
            return sequence(concatenation.parts().stream()
                    .map(part -> part.withoutAnchor(start))
                    .toList());
        }
        return this;
    }

    private boolean isNullable() {
        if (this instanceof Union union) {
            return union.alternatives().stream().anyMatch(Regex::isNullable);
        }
        if (this instanceof Loop loop) {
            return loop.min() == 0 || loop.body().isNullable();
        }
        return this instanceof Concatenation concatenation
                && concatenation.parts().stream().allMatch(Regex::isNullable);
    }

    private static int less(int max) {
        return max == Node.UNBOUNDED ? max : max - 1;
    }

    /** This expression without anchors, as a node. */
    default Node node(Nodes nodes, TextEncoding encoding) {
        if (this instanceof Characters characters) {
            return characters.set().isEmpty() ? nodes.nothing() : encoding.node(characters.set());
        }
        if (this instanceof Concatenation concatenation) {
            return nodes.sequence(concatenation.parts().stream()
                    .map(part -> part.node(nodes, encoding))
                    .toList());
        }
        if (this instanceof Union union) {
            return nodes.choice(union.alternatives().stream()
                    .map(part -> part.node(nodes, encoding))
                    .toList());
        }
        if (this instanceof Loop loop) {
            return nodes.repeat(loop.body().node(nodes, encoding), loop.min(), loop.max());
        }
        throw new IllegalStateException("an anchor is left");
    }
}
