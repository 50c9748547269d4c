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

    static Regex loop(Regex body, int min, int max) {
        if (body.equals(NOTHING)) {
            return min == 0 ? EMPTY : NOTHING;
        }
        return max == 0 ? EMPTY : new Loop(body, min, max);
    }

    /** The texts as a whole that this expression describes; anchors hold at the ends of the text. */
    default Regex whole() {
        Regex begun = union(List.of(afterAnchor(true), withoutAnchor(true)));
        return union(List.of(begun.afterAnchor(false), begun.withoutAnchor(false)));
    }

    /** The texts in which this expression is found somewhere. */
    default Regex search() {
        Regex begun = union(List.of(afterAnchor(true), sequence(List.of(ANYTHING, withoutAnchor(true)))));
        return union(List.of(begun.afterAnchor(false), sequence(List.of(begun.withoutAnchor(false), ANYTHING))));
    }

    /** What is left of the texts whose outermost sign on that side is the anchor. */
    private Regex afterAnchor(boolean start) {
        if (this instanceof Anchor anchor) {
            return anchor.atStart() == start ? EMPTY : NOTHING;
        }
        if (this instanceof Union union) {
            return union(union.alternatives().stream()
                    .map(part -> part.afterAnchor(start))
                    .toList());
        }
        if (this instanceof Loop loop) {
            Regex once = loop.body().afterAnchor(start);
            if (once.equals(NOTHING)) {
                return NOTHING;
            }
            Regex others = loop(loop.body().withoutAnchor(start), Math.max(0, loop.min() - 1), less(loop.max()));
            return sequence(start ? List.of(once, others) : List.of(others, once));
        }
        if (this instanceof Concatenation concatenation) {
            List<Regex> parts = concatenation.parts();
            List<Regex> alternatives = new ArrayList<>();
            for (int i = 0; i < parts.size(); i++) {
                int at = start ? i : parts.size() - 1 - i;
                Regex here = parts.get(at).afterAnchor(start);
                if (!here.equals(NOTHING)) {
                    List<Regex> rest = start ? parts.subList(at + 1, parts.size()) : parts.subList(0, at);
                    List<Regex> all = new ArrayList<>();
                    rest.forEach(part -> all.add(part.withoutAnchor(start)));
                    all.add(start ? 0 : all.size(), here);
                    alternatives.add(sequence(all));
                }
                if (!parts.get(at).isNullable()) {
                    break;
                }
            }
            return union(alternatives);
        }
        return NOTHING;
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
        if (this instanceof Loop loop) {
            return loop(loop.body().withoutAnchor(start), loop.min(), loop.max());
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
