package io.idefics.grammar;

import io.idefics.grammar.Node.Bytes;
import io.idefics.grammar.Node.Choice;
import io.idefics.grammar.Node.Literal;
import io.idefics.grammar.Node.Reference;
import io.idefics.grammar.Node.Repeat;
import io.idefics.grammar.Node.Sequence;
import io.idefics.grammar.Node.Terminal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Makes the nodes of one grammar. Not thread-safe. */
final class Nodes {

    private final TokenTrie trie;
    private final CompileEffort effort;
    private final List<Node> all = new ArrayList<>();
    private final Map<ByteSet, Node> byteSets = new HashMap<>();
    private final Map<String, Node> literals = new HashMap<>();
    private final Map<Node, Node> nonEmpty = new HashMap<>();
    private final Node empty;

    Nodes(TokenTrie trie, CompileEffort effort) {
        this.trie = trie;
        this.effort = effort;
        this.empty = add(new Sequence(all.size(), List.of()));
    }

    TokenTrie trie() {
        return trie;
    }

    CompileEffort effort() {
        return effort;
    }

    /** The empty text alone. */
    Node empty() {
        return empty;
    }

    /** No text at all. */
    Node nothing() {
        return choice(List.of());
    }

    Node bytes(ByteSet set) {
        return byteSets.computeIfAbsent(set, s -> add(new Bytes(all.size(), s)));
    }

    Node bytes(String characters) {
        return bytes(ByteSet.of(characters));
    }

    /** One text. */
    Node literal(String text) {
        return literals.computeIfAbsent(text, t -> literal(t.getBytes(StandardCharsets.UTF_8)));
    }

    private Node literal(byte[] bytes) {
        effort.size(bytes.length);
        return switch (bytes.length) {
            case 0 -> empty;
            case 1 -> bytes(ByteSet.of(bytes[0] & 0xFF));
            default -> add(new Literal(all.size(), bytes, trie.tokensFrom(bytes)));
        };
    }

    /** One of the texts; shared beginnings are followed together. */
    Node literals(Iterable<String> texts) {
        List<byte[]> sorted = new ArrayList<>();
        texts.forEach(text -> sorted.add(text.getBytes(StandardCharsets.UTF_8)));
        sorted.sort(Arrays::compareUnsigned);
        return literals(sorted, 0);
    }

    /** The rests of sorted texts that begin with the same bytes. */
    private Node literals(List<byte[]> sorted, int from) {
        List<Node> alternatives = new ArrayList<>();
        int i = 0;
        while (i < sorted.size() && sorted.get(i).length == from) {
            i++;
        }
        if (i > 0) {
            alternatives.add(empty);
        }
        while (i < sorted.size()) {
            byte first = sorted.get(i)[from];
            int end = i + 1;
            while (end < sorted.size() && sorted.get(end)[from] == first) {
                end++;
            }
            byte[] low = sorted.get(i);
            byte[] high = sorted.get(end - 1);
            int shared = Arrays.mismatch(low, high);
            int to = shared < 0 ? low.length : shared;
            Node head = literal(Arrays.copyOfRange(low, from, to));
            alternatives.add(sequence(head, tail(sorted.subList(i, end), to)));
            i = end;
        }
        return choice(alternatives);
    }

    /** Keeps the depth of the calls small: it grows with each place where texts part, and may not do so for long. */
    private Node tail(List<byte[]> texts, int from) {
        return texts.get(0).length == from && texts.get(texts.size() - 1).length == from
                ? empty
                : literals(texts, from);
    }

    Node terminal(ByteState start) {
        return add(new Terminal(all.size(), start));
    }

    Node sequence(Node... parts) {
        return sequence(List.of(parts));
    }

    Node sequence(List<Node> parts) {
        List<Node> kept = new ArrayList<>(parts);
        kept.removeIf(part -> part == empty);
        return switch (kept.size()) {
            case 0 -> empty;
            case 1 -> kept.get(0);
            default -> add(new Sequence(all.size(), List.copyOf(kept)));
        };
    }

    Node choice(Node... alternatives) {
        return choice(List.of(alternatives));
    }

    Node choice(List<Node> alternatives) {
        return alternatives.size() == 1
                ? alternatives.get(0)
                : add(new Choice(all.size(), alternatives.stream().distinct().toList()));
    }

    Node optional(Node node) {
        return repeat(node, 0, 1);
    }

    /** A node between {@code min} and {@code max} times. */
    Node repeat(Node node, int min, int max) {
        boolean skippable = node.nullable;
        if (node instanceof Repeat repeat && repeat.min <= 1 && repeat.max == Node.UNBOUNDED && max > 0) {
            // Any number of times any number of times.
            return repeat.min == 0 || min == 1 ? node : repeat(repeat.body, min, Node.UNBOUNDED);
        }
        Node body = skippable ? nonEmpty(node) : node;
        if (max == 0 || body == empty) {
            return empty;
        }
        if (!skippable && min == 1 && max == 1) {
            return body;
        }
        return add(new Repeat(all.size(), body, skippable ? 0 : min, max));
    }

    Node reference(Rule rule) {
        return add(new Reference(all.size(), rule));
    }

    /** Computes the costs of all nodes once all rules are defined. */
    void settle() {
        boolean changed = true;
        while (changed) {
            changed = false;
            for (Node node : all) {
                changed |= node.settle();
            }
            // Long chains of references may lead either way.
            for (int i = all.size() - 1; i >= 0; i--) {
                changed |= all.get(i).settle();
            }
            effort.work(all.size());
        }
    }

    private <T extends Node> T add(T node) {
        effort.size(1);
        all.add(node);
        if (!(node instanceof Reference)) {
            node.settle();
        }
        return node;
    }

    /** The texts of a node but the empty one. */
    private Node nonEmpty(Node node) {
        if (!node.nullable) {
            return node;
        }
        Node known = nonEmpty.get(node);
        if (known != null) {
            return known;
        }
        Node result;
        if (node instanceof Choice choice) {
            List<Node> alternatives =
                    choice.alternatives.stream().map(this::nonEmpty).toList();
            result = choice(alternatives);
        } else if (node instanceof Repeat repeat) {
            int max = repeat.max == Node.UNBOUNDED ? repeat.max : repeat.max - 1;
            result = sequence(repeat.body, repeat(repeat.body, 0, max));
        } else {
            // Each part in turn is the first that is not empty.
            List<Node> parts = ((Sequence) node).parts;
            List<Node> alternatives = new ArrayList<>();
            Node rest = empty;
            for (int i = parts.size() - 1; i >= 0; i--) {
                alternatives.add(sequence(nonEmpty(parts.get(i)), rest));
                rest = sequence(parts.get(i), rest);
            }
            result = choice(alternatives);
        }
        nonEmpty.put(node, result);
        return result;
    }
}
