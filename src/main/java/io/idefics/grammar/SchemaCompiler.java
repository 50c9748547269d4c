package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.idefics.generation.GenerationException;
import io.idefics.grammar.NumberAutomaton.Bounds;
import io.idefics.grammar.SchemaDocument.Place;
import java.math.BigDecimal;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Makes a grammar of values that satisfy a JSON Schema. The grammar has not all such values: members come in the order in
 * which the schema declares them, and where a schema says nothing, what is usual is generated. Not thread-safe.
 */
final class SchemaCompiler {

    private static final int MAX_DEPTH = 100;

    /** The most optional properties of an object: each position between them may go on with any of the later ones. */
    private static final int MAX_OPTIONAL = 500;

    /**
     * Following a length together with a pattern or a format takes states for each character, so strings then have at
     * most so many characters more than they must have: the first of these numbers that keeps to the states beside it.
     */
    private static final int[][] LENGTHS_AND_STATES = {{1_000, 5_000}, {250, 20_000}, {60, 20_000}};

    /** A schema that others refer to, for the types that are left at that place. */
    private record Target(String pointer, Set<SchemaType> types) {}

    /** A property of an object. */
    private record Member(String name, Node value, boolean required) {}

    private final SchemaDocument document;
    private final SchemaError error;
    private final Nodes nodes;
    private final JsonNodes json;
    private final InstanceCheck check;
    private final SchemaOverlap overlap;
    private final Map<Target, Node> references = new HashMap<>();
    private final Deque<Runnable> pending = new ArrayDeque<>();

    SchemaCompiler(JsonNode schema, Nodes nodes, JsonNodes json, SchemaError error) {
        this.document = new SchemaDocument(schema, error);
        this.error = error;
        this.nodes = nodes;
        this.json = json;
        this.check = new InstanceCheck(document, nodes, false);
        this.overlap = new SchemaOverlap(document, nodes);
    }

    /**
     * The values of the whole schema.
     *
     * @throws GenerationException where the schema is malformed, not supported or certainly without a value
     */
    Node compile() {
        Node root = value(document.root(), SchemaType.all(), 0);
        while (!pending.isEmpty()) {
            pending.pop().run();
        }
        return root;
    }

    /** The values of a schema that are of some types. */
    private Node value(Place place, Set<SchemaType> types, int depth) {
        nodes.effort().work(20);
        if (depth > MAX_DEPTH) {
            throw error.invalid(place.pointer(), "is nested deeper than " + MAX_DEPTH + " levels");
        }
        document.check(place);
        if (place.isFalse()) {
            throw error.invalid(place.pointer(), "is false, which no value satisfies");
        }
        if (place.has("$ref")) {
            return reference(document.target(place), types);
        }
        Set<SchemaType> named = place.isTrue() ? null : document.types(place);
        Set<SchemaType> left = named == null ? types : SchemaType.shared(types, named);
        List<JsonNode> values = document.values(place);
        if (values != null) {
            return listed(place, values, left);
        }
        for (String keyword : List.of("anyOf", "oneOf", "allOf")) {
            if (place.has(keyword)) {
                return branches(place, keyword, left, depth);
            }
        }
        return ofTypes(place, named == null ? likely(place, left) : left, depth);
    }

    /** The types that a schema without {@code type} seems to mean: those that its keywords are about. */
    private static Set<SchemaType> likely(Place place, Set<SchemaType> types) {
        Set<SchemaType> meant = new LinkedHashSet<>();
        if (place.hasAny(SchemaDocument.STRING_KEYWORDS)) {
            meant.add(SchemaType.STRING);
        }
        if (place.hasAny(SchemaDocument.NUMBER_KEYWORDS)) {
            meant.add(SchemaType.NUMBER);
        }
        if (place.hasAny(SchemaDocument.OBJECT_KEYWORDS)) {
            meant.add(SchemaType.OBJECT);
        }
        if (place.hasAny(SchemaDocument.ARRAY_KEYWORDS)) {
            meant.add(SchemaType.ARRAY);
        }
        Set<SchemaType> likely = SchemaType.shared(types, meant);
        return likely.isEmpty() ? types : likely;
    }

    /** A schema elsewhere in the document; compiled later, since it may lead back here. */
    private Node reference(Place target, Set<SchemaType> types) {
        return references.computeIfAbsent(new Target(target.pointer(), types), t -> {
            Rule rule = new Rule(false);
            pending.push(() -> rule.define(value(target, types, 0)));
            return nodes.reference(rule);
        });
    }

    private Node branches(Place place, String keyword, Set<SchemaType> types, int depth) {
        document.requireAlone(place, keyword, Set.of("type"));
        List<Place> branches = new ArrayList<>(document.list(place, keyword));
        if (keyword.equals("oneOf")) {
            requireDisjoint(place, branches);
        }
        branches.removeIf(Place::isFalse);
        if (branches.isEmpty()) {
            throw error.invalid(place.pointer(), "has " + keyword + " of which nothing can be satisfied");
        }
        return nodes.choice(
                branches.stream().map(branch -> value(branch, types, depth + 1)).toList());
    }

    private void requireDisjoint(Place place, List<Place> branches) {
        for (int i = 0; i < branches.size(); i++) {
            for (int j = i + 1; j < branches.size(); j++) {
                if (!overlap.areDisjoint(branches.get(i), branches.get(j))) {
                    throw error.unsupported(
                            place.pointer(),
                            "oneOf whose schemas " + i + " and " + j + " may both be satisfied by one value",
                            "use anyOf, or tell them apart by their types or by a required property with other values");
                }
            }
        }
    }

    /** The values of a list that satisfy the rest of their schema. */
    private Node listed(Place place, List<JsonNode> listed, Set<SchemaType> types) {
        List<JsonNode> kept = new ArrayList<>();
        for (JsonNode value : listed) {
            requireWritable(place, value, 0);
            if (check.acceptsBesideValues(place, value)) {
                kept.add(value);
            }
        }
        if (kept.isEmpty()) {
            throw error.invalid(
                    place.pointer(),
                    "has " + (place.has("enum") ? "enum" : "const") + " without a value that satisfies the rest of it");
        }
        kept.removeIf(value -> types.stream().noneMatch(type -> type.has(value)));
        Set<String> scalars = new LinkedHashSet<>();
        List<Node> alternatives = new ArrayList<>();
        for (JsonNode value : kept) {
            if (value.isContainerNode()) {
                alternatives.add(constant(value));
            } else {
                scalars.add(written(value, !types.contains(SchemaType.NUMBER)));
            }
        }
        if (!scalars.isEmpty()) {
            alternatives.add(json.terminal(nodes.literals(scalars)));
        }
        return nodes.choice(alternatives);
    }

    private void requireWritable(Place place, JsonNode value, int depth) {
        if (depth > MAX_DEPTH) {
            throw error.invalid(place.pointer(), "has a value nested deeper than " + MAX_DEPTH + " levels");
        }
        if (value.isNumber() && !SchemaDocument.isReasonable(value)) {
            throw error.invalid(place.pointer(), "has a number that is out of range: " + SchemaError.shown(value));
        }
        if (value.isTextual()) {
            document.requireWellFormed(place, value.textValue());
        }
        value.fieldNames().forEachRemaining(name -> document.requireWellFormed(place, name));
        value.forEach(part -> requireWritable(place, part, depth + 1));
    }

    /** A value as the schema has it, since not every validator knows that 1.0 is 1; but integers without a fraction. */
    private static String written(JsonNode scalar, boolean integer) {
        return integer && scalar.isNumber()
                ? scalar.decimalValue().toBigInteger().toString()
                : scalar.toString();
    }

    /** One value, with the usual spaces or without. */
    private Node constant(JsonNode value) {
        if (!value.isContainerNode()) {
            return json.fixed(value.toString());
        }
        boolean object = value.isObject();
        if (value.isEmpty()) {
            return json.fixed(object ? "{}" : "[]");
        }
        List<Node> parts = new ArrayList<>();
        if (object) {
            value.fields().forEachRemaining(member -> {
                String key = quoted(member.getKey()) + ":";
                parts.add(parts.isEmpty() ? json.spaced("{" + key) : json.commaThen(key));
                parts.add(constant(member.getValue()));
            });
        } else {
            value.forEach(item -> {
                parts.add(parts.isEmpty() ? json.fixed("[") : json.comma());
                parts.add(constant(item));
            });
        }
        parts.add(json.fixed(object ? "}" : "]"));
        return nodes.sequence(parts);
    }

    private static String quoted(String name) {
        return TextNode.valueOf(name).toString();
    }

    private Node ofTypes(Place place, Set<SchemaType> types, int depth) {
        if (types.size() == SchemaType.all().size() && saysNothing(place)) {
            return json.anything();
        }
        List<Node> alternatives = new ArrayList<>();
        for (SchemaType type : types) {
            alternatives.add(
                    switch (type) {
                        case STRING -> string(place);
                        case NUMBER -> number(place, false);
                        case INTEGER -> number(place, true);
                        case BOOLEAN -> json.trueOrFalse();
                        case NULL -> json.nothing();
                        case OBJECT -> nested(object(place, depth));
                        case ARRAY -> nested(array(place, depth));
                    });
        }
        return nodes.choice(alternatives);
    }

    private static boolean saysNothing(Place place) {
        return !place.hasAny(SchemaDocument.STRING_KEYWORDS)
                && !place.hasAny(SchemaDocument.NUMBER_KEYWORDS)
                && !place.hasAny(SchemaDocument.OBJECT_KEYWORDS)
                && !place.hasAny(SchemaDocument.ARRAY_KEYWORDS);
    }

    private Node nested(Node node) {
        Rule rule = new Rule(true);
        rule.define(node);
        return nodes.reference(rule);
    }

    private Node string(Place place) {
        int min = least(place, "minLength");
        int max = document.count(place, "maxLength", Node.UNBOUNDED);
        requireOrder(place, "minLength", min, "maxLength", max);
        String pattern = document.text(place, "pattern");
        String formatName = document.text(place, "format");
        if (pattern == null && formatName == null) {
            return json.string(min, max);
        }
        List<ByteState> parts = new ArrayList<>();
        if (formatName != null) {
            parts.add(format(place, formatName));
        }
        if (pattern != null) {
            parts.add(pattern(place, pattern));
        }
        return nodes.terminal(shared(place, parts, min, max));
    }

    private ByteState format(Place place, String name) {
        StringFormat format = StringFormat.named(name);
        if (format == null) {
            throw error.unsupported(
                    place.pointer(),
                    "the format " + SchemaError.shown(TextNode.valueOf(name)),
                    "use one of " + StringFormat.names() + ", or a pattern");
        }
        return json.sharedState(
                "format " + name, () -> json.quoted(format.regex().whole().node(nodes, json.text())));
    }

    private ByteState pattern(Place place, String pattern) {
        Node node;
        try {
            node = RegexParser.parse(pattern, error.param()).search().node(nodes, json.text());
        } catch (GenerationException e) {
            throw new GenerationException(
                    e.type(), "The schema at " + place.pointer() + "/pattern: " + e.getMessage(), error.param(), e);
        }
        if (node.cost() >= Node.IMPOSSIBLE) {
            throw error.invalid(place.pointer(), "has a pattern that no string matches");
        }
        return NodeAutomaton.of(json.quoted(node), nodes);
    }

    /** The strings that all automata have, of some length. */
    private ByteState shared(Place place, List<ByteState> parts, int min, int max) {
        boolean bounded = min > 0 || max < Node.UNBOUNDED;
        if (!bounded && parts.size() == 1) {
            return parts.get(0);
        }
        Intersection.Result result = new Intersection.Result(null, true);
        for (int[] limits : LENGTHS_AND_STATES) {
            if (result.tooLarge()) {
                int most = max == Node.UNBOUNDED ? max : Math.min(max, min + limits[0]);
                result = shared(parts, min, most, limits[1]);
            }
        }
        if (result.tooLarge()) {
            throw error.unsupported(
                    place.pointer(),
                    "a pattern, a format and lengths that cannot be followed at once",
                    "use smaller lengths, or put them into the pattern");
        }
        ByteState start = result.start();
        if (start == null) {
            throw error.invalid(place.pointer(), "has a pattern, a format or lengths that no string satisfies at once");
        }
        return start;
    }

    private Intersection.Result shared(List<ByteState> parts, int min, int max, int maxStates) {
        List<ByteState> all = new ArrayList<>(parts);
        if (min > 0 || max < Node.UNBOUNDED) {
            all.add(json.plainStringState(min, max));
        }
        return Intersection.of(all, maxStates, nodes.effort());
    }

    private Node number(Place place, boolean integer) {
        BigDecimal min = document.number(place, "minimum");
        BigDecimal above = document.number(place, "exclusiveMinimum");
        BigDecimal max = document.number(place, "maximum");
        BigDecimal below = document.number(place, "exclusiveMaximum");
        BigDecimal multipleOf = document.number(place, "multipleOf");
        if (multipleOf != null && multipleOf.signum() <= 0) {
            throw error.invalid(
                    place.pointer(), "has multipleOf " + multipleOf.toPlainString() + ", which must be above 0");
        }
        boolean minExcluded = above != null && (min == null || above.compareTo(min) >= 0);
        boolean maxExcluded = below != null && (max == null || below.compareTo(max) <= 0);
        BigDecimal low = minExcluded ? above : min;
        BigDecimal high = maxExcluded ? below : max;
        if (low == null && high == null && multipleOf == null) {
            return integer ? json.integer() : json.number();
        }
        if (low != null && high != null && low.compareTo(high) > 0) {
            throw error.invalid(
                    place.pointer(),
                    "has a minimum of " + low.toPlainString() + " above the maximum of " + high.toPlainString());
        }
        ByteState start = NumberAutomaton.of(new Bounds(integer, low, minExcluded, high, maxExcluded, multipleOf));
        if (start == null) {
            throw error.invalid(
                    place.pointer(),
                    "has bounds without "
                            + (integer ? "an integer" : "a number of at most " + JsonNodes.MAX_DIGITS + " digits")
                            + " between them");
        }
        return nodes.terminal(start);
    }

    private Node array(Place place, int depth) {
        int min = least(place, "minItems");
        int max = document.count(place, "maxItems", Node.UNBOUNDED);
        requireOrder(place, "minItems", min, "maxItems", max);
        List<Place> prefix = document.list(place, "prefixItems");
        Place items = place.at("items");
        boolean listed = !prefix.isEmpty();
        int most = max;
        for (int i = 0; i < prefix.size(); i++) {
            if (prefix.get(i).isFalse()) {
                most = Math.min(most, i);
            }
        }
        if (items.isFalse() || listed && items.schema().isMissingNode() && min <= prefix.size()) {
            most = Math.min(most, prefix.size());
        }
        if (min > most) {
            throw error.invalid(place.pointer(), "asks for " + min + " items but allows only " + most);
        }
        int fixed = Math.min(prefix.size(), most);
        Node item = most <= fixed
                ? nodes.nothing()
                : items.schema().isMissingNode() ? json.anything() : value(items, SchemaType.all(), depth + 1);
        if (fixed == 0) {
            return json.array(item, min, most);
        }
        int others = most == Node.UNBOUNDED ? Node.UNBOUNDED : most - fixed;
        Node end = json.fixed("]");
        Node rest = others == 0
                ? end
                : nodes.sequence(
                        nodes.repeat(nodes.sequence(json.comma(), item), Math.max(0, min - fixed), others), end);
        for (int i = fixed - 1; i >= 0; i--) {
            Node value = value(prefix.get(i), SchemaType.all(), depth + 1);
            rest = i == 0 ? nodes.sequence(json.fixed("["), value, rest) : nodes.sequence(json.comma(), value, rest);
            if (i >= min) {
                rest = nodes.choice(i == 0 ? json.fixed("[]") : end, rest);
            }
        }
        return rest;
    }

    private int least(Place place, String keyword) {
        int least = document.count(place, keyword, 0);
        if (least > SchemaDocument.MAX_LEAST) {
            throw error.invalid(
                    place.pointer(), "has " + keyword + " " + least + ", more than " + SchemaDocument.MAX_LEAST);
        }
        return least;
    }

    private void requireOrder(Place place, String minName, int min, String maxName, int max) {
        if (min > max) {
            throw error.invalid(place.pointer(), "has " + minName + " " + min + " above " + maxName + " " + max);
        }
    }

    private Node object(Place place, int depth) {
        List<String> declared = document.properties(place);
        Set<String> required = document.required(place);
        Place others = place.at("additionalProperties");
        boolean open = others.schema().isMissingNode();
        List<Member> members = members(place, declared, required, others, depth);
        boolean more = open ? declared.isEmpty() && required.isEmpty() : !others.isFalse();
        if (members.isEmpty() && !more) {
            return json.fixed("{}");
        }
        if (declared.isEmpty() && required.isEmpty()) {
            return open || others.isTrue()
                    ? json.anyObject()
                    : json.object(json.string(), value(others, SchemaType.all(), depth + 1));
        }
        Node end = json.fixed("}");
        Node rest = end;
        Node start = json.fixed("{}");
        if (more) {
            Set<String> taken = new LinkedHashSet<>(declared);
            taken.addAll(required);
            Node member = nodes.sequence(otherName(taken), json.colon(), value(others, SchemaType.all(), depth + 1));
            rest = nodes.sequence(nodes.repeat(nodes.sequence(json.comma(), member), 0, Node.UNBOUNDED), end);
            start = nodes.choice(start, nodes.sequence(json.fixed("{"), member, rest));
        }
        for (int i = members.size() - 1; i >= 0; i--) {
            Member member = members.get(i);
            String key = quoted(member.name()) + ":";
            Node first = nodes.sequence(json.spaced("{" + key), member.value(), rest);
            Node later = nodes.sequence(json.commaThen(key), member.value(), rest);
            start = member.required() ? first : nodes.choice(first, start);
            rest = member.required() ? later : nodes.choice(later, rest);
        }
        return start;
    }

    /** The properties in their order, then those that are required but not declared. */
    private List<Member> members(Place place, List<String> declared, Set<String> required, Place others, int depth) {
        List<Member> members = new ArrayList<>();
        for (String name : declared) {
            Place schema = place.at("properties", name);
            if (schema.isFalse() && required.contains(name)) {
                throw error.invalid(schema.pointer(), "is false, but the property is required");
            }
            if (!schema.isFalse()) {
                members.add(new Member(name, value(schema, SchemaType.all(), depth + 1), required.contains(name)));
            }
        }
        long optional = members.stream().filter(member -> !member.required()).count();
        if (optional > MAX_OPTIONAL) {
            throw error.invalid(
                    place.pointer(),
                    "has " + optional + " properties that are not required, more than " + MAX_OPTIONAL);
        }
        Collection<String> undeclared = new LinkedHashSet<>(required);
        declared.forEach(undeclared::remove);
        for (String name : undeclared) {
            if (others.isFalse()) {
                throw error.invalid(
                        place.pointer(),
                        "requires the property " + SchemaError.shown(TextNode.valueOf(name))
                                + ", which it neither declares nor allows");
            }
            Node value = others.schema().isMissingNode() ? json.anything() : value(others, SchemaType.all(), depth + 1);
            members.add(new Member(name, value, true));
        }
        return members;
    }

    /** A name that is none of those. */
    private Node otherName(Set<String> taken) {
        ByteState plain = json.sharedState(
                "unescaped string",
                () -> json.quoted(nodes.repeat(json.text().node(JsonText.UNESCAPED), 0, Node.UNBOUNDED)));
        return nodes.terminal(OtherNames.of(taken, plain, nodes.effort()));
    }
}
