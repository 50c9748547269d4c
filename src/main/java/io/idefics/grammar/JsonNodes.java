package io.idefics.grammar;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The parts that JSON texts are made of (RFC 8259). There is no white space but at most one space after each colon and
 * comma, and numbers have a bounded number of digits. Not thread-safe.
 */
final class JsonNodes {

    /** The most digits of a number before and after the point, such that a double tells all such numbers apart. */
    static final int MAX_DIGITS = 15;

    /** The most digits of an integer, such that a long has room for it. */
    static final int MAX_INTEGER_DIGITS = 18;

    private final Nodes nodes;
    private final JsonText text;
    private final SharedAutomata shared;
    private final Map<String, Node> terminals = new HashMap<>();
    private @Nullable Node anything;
    private @Nullable Node anyObject;
    private @Nullable Node anyArray;

    JsonNodes(Nodes nodes, SharedAutomata shared) {
        this.nodes = nodes;
        this.text = new JsonText(nodes);
        this.shared = shared;
    }

    JsonText text() {
        return text;
    }

    /** A terminal that all grammars of a model share. */
    private Node shared(String name, Supplier<Node> node) {
        return terminals.computeIfAbsent(name, n -> nodes.terminal(sharedState(n, node)));
    }

    /** An automaton that all grammars of a model share. */
    ByteState sharedState(String name, Supplier<Node> node) {
        return shared.get(name, () -> NodeAutomaton.of(node.get(), nodes));
    }

    /** A terminal of this grammar alone. */
    Node terminal(Node node) {
        return nodes.terminal(NodeAutomaton.of(node, nodes));
    }

    /** One text, as a terminal. */
    Node fixed(String literal) {
        return terminals.computeIfAbsent("'" + literal, l -> terminal(nodes.literal(literal)));
    }

    /** A text, then perhaps a space. */
    Node spaced(String literal) {
        return terminals.computeIfAbsent(
                "_" + literal, l -> terminal(nodes.sequence(nodes.literal(literal), nodes.optional(nodes.bytes(" ")))));
    }

    /** A comma, perhaps a space, a text, and perhaps another space. */
    Node commaThen(String literal) {
        Node space = nodes.optional(nodes.bytes(" "));
        return terminals.computeIfAbsent(
                "," + literal, l -> terminal(nodes.sequence(nodes.bytes(","), space, nodes.literal(literal), space)));
    }

    Node comma() {
        return spaced(",");
    }

    Node colon() {
        return spaced(":");
    }

    /** Any string with its quotes. */
    Node string() {
        return string(0, Node.UNBOUNDED);
    }

    /** Any string of that many code points, with its quotes. */
    Node string(int min, int max) {
        boolean any = min == 0 && max == Node.UNBOUNDED;
        return any
                ? shared("string", () -> stringNode(min, max))
                : terminals.computeIfAbsent("string " + min + " " + max, n -> terminal(stringNode(min, max)));
    }

    /** The automaton of strings of that many code points, with their quotes and without needless escapes. */
    ByteState plainStringState(int min, int max) {
        return NodeAutomaton.of(quoted(nodes.repeat(text.plain(CodePoints.ALL), min, max)), nodes);
    }

    private Node stringNode(int min, int max) {
        return quoted(nodes.repeat(text.node(CodePoints.ALL), min, max));
    }

    Node quoted(Node content) {
        return nodes.sequence(nodes.bytes("\""), content, nodes.bytes("\""));
    }

    /** Any integer, without a fraction and an exponent. */
    Node integer() {
        return shared("integer", () -> {
            Node digits = nodes.repeat(nodes.bytes("0123456789"), 0, MAX_INTEGER_DIGITS - 1);
            return nodes.choice(
                    nodes.bytes("0"),
                    nodes.sequence(nodes.optional(nodes.bytes("-")), nodes.bytes("123456789"), digits));
        });
    }

    /** Any number. */
    Node number() {
        return shared("number", () -> {
            Node digit = nodes.bytes("0123456789");
            Node whole = nodes.choice(
                    nodes.bytes("0"), nodes.sequence(nodes.bytes("123456789"), nodes.repeat(digit, 0, MAX_DIGITS - 1)));
            Node fraction = nodes.sequence(nodes.bytes("."), nodes.repeat(digit, 1, MAX_DIGITS));
            Node exponent =
                    nodes.sequence(nodes.bytes("eE"), nodes.optional(nodes.bytes("+-")), nodes.repeat(digit, 1, 2));
            return nodes.sequence(
                    nodes.optional(nodes.bytes("-")), whole, nodes.optional(fraction), nodes.optional(exponent));
        });
    }

    Node trueOrFalse() {
        return shared("boolean", () -> nodes.choice(nodes.literal("true"), nodes.literal("false")));
    }

    Node nothing() {
        return shared("null", () -> nodes.literal("null"));
    }

    /** Any value. */
    Node anything() {
        Node known = anything;
        if (known == null) {
            Rule rule = new Rule(false);
            known = nodes.reference(rule);
            anything = known;
            rule.define(nodes.choice(string(), number(), trueOrFalse(), nothing(), anyObject(), anyArray()));
        }
        return known;
    }

    /** Any object. */
    Node anyObject() {
        Node known = anyObject;
        if (known == null) {
            Rule rule = new Rule(true);
            known = nodes.reference(rule);
            anyObject = known;
            rule.define(object(string(), anything()));
        }
        return known;
    }

    /** Any array. */
    Node anyArray() {
        Node known = anyArray;
        if (known == null) {
            Rule rule = new Rule(true);
            known = nodes.reference(rule);
            anyArray = known;
            rule.define(array(anything(), 0, Node.UNBOUNDED));
        }
        return known;
    }

    /** An object of any number of members. */
    Node object(Node name, Node value) {
        Node member = nodes.sequence(name, colon(), value);
        Node more = nodes.repeat(nodes.sequence(comma(), member), 0, Node.UNBOUNDED);
        return nodes.choice(fixed("{}"), nodes.sequence(fixed("{"), member, more, fixed("}")));
    }

    /** An array of that many items. */
    Node array(Node item, int min, int max) {
        if (max == 0) {
            return fixed("[]");
        }
        int others = max == Node.UNBOUNDED ? max : max - 1;
        Node more = nodes.repeat(nodes.sequence(comma(), item), Math.max(0, min - 1), others);
        Node filled = nodes.sequence(fixed("["), item, more, fixed("]"));
        return min == 0 ? nodes.choice(fixed("[]"), filled) : filled;
    }
}
