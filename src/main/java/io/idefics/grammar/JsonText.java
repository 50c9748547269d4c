package io.idefics.grammar;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Characters as they are written within the quotes of a JSON string (RFC 8259, section 7). Not thread-safe. */
final class JsonText implements TextEncoding {

    private static final String HEX = "0123456789abcdefABCDEF";
    private static final int LAST_CONTROL = 0x1F;
    private static final CodePoints CONTROLS = CodePoints.range(0, LAST_CONTROL);

    /** What may stand for itself. */
    static final CodePoints UNESCAPED = CodePoints.ALL.minus(CONTROLS.or(CodePoints.of("\"\\")));

    /** Characters and the letters that stand for them after a backslash, in the same order. */
    private static final String ESCAPED = "\"\\/\b\f\n\r\t";

    private static final String LETTERS = "\"\\/bfnrt";

    private final Nodes nodes;
    private final Utf8 utf8;
    private final Map<CodePoints, Node> known = new HashMap<>();

    JsonText(Nodes nodes) {
        this.nodes = nodes;
        this.utf8 = new Utf8(nodes);
    }

    /** All characters in all their forms, others raw where possible and else in their only escaped forms. */
    @Override
    public Node node(CodePoints set) {
        Node node = known.get(set);
        if (node == null) {
            node = set.equals(CodePoints.ALL)
                    ? nodes.choice(utf8.node(UNESCAPED), nodes.sequence(nodes.bytes("\\"), anyEscape()))
                    : plain(set);
            known.put(set, node);
        }
        return node;
    }

    /** All characters in one form: raw where possible and else escaped. */
    Node plain(CodePoints set) {
        ByteSet letters = ByteSet.NONE;
        for (int i = 0; i < ESCAPED.length(); i++) {
            boolean raw = UNESCAPED.contains(ESCAPED.charAt(i));
            if (set.contains(ESCAPED.charAt(i)) && !raw) {
                letters = letters.with(LETTERS.charAt(i));
            }
        }
        ByteSet low = ByteSet.NONE;
        ByteSet high = ByteSet.NONE;
        for (int c = 0; c <= LAST_CONTROL; c++) {
            if (set.contains(c)) {
                ByteSet digits = ByteSet.of(hexDigit(c % 16));
                low = c < 16 ? low.or(digits) : low;
                high = c < 16 ? high : high.or(digits);
            }
        }
        Node controls = nodes.sequence(
                nodes.bytes("u"),
                nodes.bytes("0"),
                nodes.bytes("0"),
                nodes.choice(
                        nodes.sequence(nodes.bytes("0"), nodes.bytes(low)),
                        nodes.sequence(nodes.bytes("1"), nodes.bytes(high))));
        Node escapes = nodes.sequence(
                nodes.bytes("\\"),
                low.isEmpty() && high.isEmpty() ? nodes.bytes(letters) : nodes.choice(nodes.bytes(letters), controls));
        CodePoints raw = set.and(UNESCAPED);
        if (letters.isEmpty() && low.isEmpty() && high.isEmpty()) {
            return utf8.node(raw);
        }
        return raw.isEmpty() ? escapes : nodes.choice(utf8.node(raw), escapes);
    }

    private static String hexDigit(int value) {
        char digit = Character.forDigit(value, 16);
        return value < 10 ? String.valueOf(digit) : "" + digit + Character.toUpperCase(digit);
    }

    /** What may follow a backslash; halves of surrogate pairs come in pairs, which are one character. */
    private Node anyEscape() {
        Node hex = nodes.bytes(HEX);
        Node single = nodes.sequence(nodes.bytes("0123456789abcefABCEF"), hex, hex, hex);
        Node belowSurrogates = nodes.sequence(nodes.bytes("01234567"), hex, hex);
        Node pair = nodes.sequence(
                nodes.bytes("89abAB"),
                hex,
                hex,
                nodes.bytes("\\"),
                nodes.bytes("u"),
                nodes.bytes("dD"),
                nodes.bytes("cdefCDEF"),
                hex,
                hex);
        Node unicode = nodes.choice(single, nodes.sequence(nodes.bytes("dD"), nodes.choice(belowSurrogates, pair)));
        return nodes.choice(List.of(nodes.bytes(LETTERS), nodes.sequence(nodes.bytes("u"), unicode)));
    }
}
