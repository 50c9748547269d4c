package io.idefics.grammar;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Characters as their bytes in UTF-8 (RFC 3629). Not thread-safe. */
final class Utf8 implements TextEncoding {

    /** The bits of a byte that continues a character. */
    private static final int CONTINUATION_BITS = 6;

    private static final int CONTINUATION = 0x80;

    /** By the number of bytes of a character, less one: the first code point, the last, the mark of its first byte. */
    private static final int[][] LENGTHS = {
        {0, 0x7F, 0}, {0x80, 0x7FF, 0xC0}, {0x800, 0xFFFF, 0xE0}, {0x10000, Character.MAX_CODE_POINT, 0xF0}
    };

    private record Tail(CodePoints values, int bytes) {}

    private final Nodes nodes;
    private final Map<CodePoints, Node> known = new HashMap<>();
    private final Map<Tail, Node> tails = new HashMap<>();

    Utf8(Nodes nodes) {
        this.nodes = nodes;
    }

    @Override
    public Node node(CodePoints set) {
        Node node = known.get(set);
        if (node == null) {
            List<Node> alternatives = new ArrayList<>();
            for (int following = 0; following < LENGTHS.length; following++) {
                int[] length = LENGTHS[following];
                CodePoints part = set.within(length[0], length[1]);
                if (!part.isEmpty()) {
                    alternatives.add(node(part, following, length[2]));
                }
            }
            node = nodes.choice(alternatives);
            known.put(set, node);
        }
        return node;
    }

    /** Values as one byte with a mark and some that continue it. */
    private Node node(CodePoints values, int following, int mark) {
        int shift = CONTINUATION_BITS * following;
        Map<CodePoints, ByteSet> firstByRest = new LinkedHashMap<>();
        for (int[] range : values.ranges()) {
            for (int first = range[0] >> shift; first <= range[1] >> shift; first++) {
                int base = first << shift;
                CodePoints rest = following == 0
                        ? CodePoints.NONE
                        : values.within(base, base + (1 << shift) - 1).minus(base);
                firstByRest.merge(rest, ByteSet.of(mark | first), ByteSet::or);
            }
        }
        List<Node> alternatives = new ArrayList<>();
        firstByRest.forEach((rest, first) -> alternatives.add(
                following == 0 ? nodes.bytes(first) : nodes.sequence(nodes.bytes(first), tail(rest, following - 1))));
        return nodes.choice(alternatives);
    }

    private Node tail(CodePoints values, int following) {
        Tail tail = new Tail(values, following);
        Node node = tails.get(tail);
        if (node == null) {
            node = node(values, following, CONTINUATION);
            tails.put(tail, node);
        }
        return node;
    }
}
