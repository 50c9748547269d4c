package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.grammar.SchemaDocument.Place;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** Validates values against the schemas of a document, for the values that schemas list. Not thread-safe. */
final class InstanceCheck {

    private static final int MAX_DEPTH = 200;

    private final SchemaDocument document;
    private final Nodes nodes;

    /** Whether strings are taken to match all patterns and formats. */
    private final boolean lenient;

    private final Map<String, ByteState> automata = new HashMap<>();

    InstanceCheck(SchemaDocument document, Nodes nodes, boolean lenient) {
        this.document = document;
        this.nodes = nodes;
        this.lenient = lenient;
    }

    /** Whether a value satisfies a schema but for the values that the schema itself lists. */
    boolean acceptsBesideValues(Place place, JsonNode value) {
        ObjectNode others = JsonNodeFactory.instance.objectNode();
        others.setAll((ObjectNode) place.schema());
        others.remove(List.of("enum", "const"));
        return accepts(new Place(others, place.pointer()), value, 0);
    }

    boolean accepts(Place place, JsonNode value) {
        return accepts(place, value, 0);
    }

    private boolean accepts(Place given, JsonNode value, int depth) {
        nodes.effort().work(10);
        if (depth > MAX_DEPTH) {
            throw document.error().invalid(given.pointer(), "refers to itself without an end");
        }
        Place place = document.resolve(given);
        if (place.schema().isBoolean()) {
            return place.isTrue();
        }
        Set<SchemaType> types = document.types(place);
        if (types != null && types.stream().noneMatch(type -> type.has(value))) {
            return false;
        }
        List<JsonNode> values = document.values(place);
        if (values != null && values.stream().noneMatch(listed -> same(listed, value))) {
            return false;
        }
        return (!place.has("anyOf") || matches(place, "anyOf", value, depth) > 0)
                && (!place.has("allOf") || matches(place, "allOf", value, depth) == 1)
                && (!place.has("oneOf") || matches(place, "oneOf", value, depth) == 1)
                && (!value.isTextual() || acceptsText(place, value.textValue()))
                && (!value.isNumber() || acceptsNumber(place, value))
                && (!value.isObject() || acceptsObject(place, value, depth))
                && (!value.isArray() || acceptsArray(place, value, depth));
    }

    private long matches(Place place, String keyword, JsonNode value, int depth) {
        return document.list(place, keyword).stream()
                .filter(branch -> accepts(branch, value, depth + 1))
                .count();
    }

    private boolean acceptsText(Place place, String text) {
        int length = text.codePointCount(0, text.length());
        if (length < document.count(place, "minLength", 0)
                || length > document.count(place, "maxLength", Integer.MAX_VALUE)) {
            return false;
        }
        if (lenient) {
            return true;
        }
        String pattern = document.text(place, "pattern");
        String formatName = document.text(place, "format");
        StringFormat format = formatName == null ? null : StringFormat.named(formatName);
        String param = document.error().param();
        return (pattern == null
                        || matches(
                                "pattern " + pattern,
                                () -> RegexParser.parse(pattern, param).search(),
                                text))
                && (format == null
                        || matches("format " + formatName, () -> format.regex().whole(), text));
    }

    private boolean matches(String name, Supplier<Regex> regex, String text) {
        ByteState start =
                automata.computeIfAbsent(name, n -> NodeAutomaton.of(regex.get().node(nodes, new Utf8(nodes)), nodes));
        ByteState end = start.after(text.getBytes(StandardCharsets.UTF_8));
        return end != null && end.accepting();
    }

    private boolean acceptsNumber(Place place, JsonNode number) {
        BigDecimal value = number.decimalValue();
        BigDecimal min = document.number(place, "minimum");
        BigDecimal max = document.number(place, "maximum");
        BigDecimal above = document.number(place, "exclusiveMinimum");
        BigDecimal below = document.number(place, "exclusiveMaximum");
        BigDecimal multipleOf = document.number(place, "multipleOf");
        return (min == null || value.compareTo(min) >= 0)
                && (max == null || value.compareTo(max) <= 0)
                && (above == null || value.compareTo(above) > 0)
                && (below == null || value.compareTo(below) < 0)
                && (multipleOf == null
                        || multipleOf.signum() > 0
                                && value.remainder(multipleOf).signum() == 0);
    }

    private boolean acceptsObject(Place place, JsonNode object, int depth) {
        for (String name : document.required(place)) {
            if (!object.has(name)) {
                return false;
            }
        }
        Set<String> declared = Set.copyOf(document.properties(place));
        Iterator<Map.Entry<String, JsonNode>> members = object.fields();
        while (members.hasNext()) {
            Map.Entry<String, JsonNode> member = members.next();
            Place schema = declared.contains(member.getKey())
                    ? place.at("properties", member.getKey())
                    : place.at("additionalProperties");
            if (!schema.schema().isMissingNode() && !accepts(schema, member.getValue(), depth + 1)) {
                return false;
            }
        }
        return true;
    }

    private boolean acceptsArray(Place place, JsonNode array, int depth) {
        if (array.size() < document.count(place, "minItems", 0)
                || array.size() > document.count(place, "maxItems", Integer.MAX_VALUE)) {
            return false;
        }
        int prefix = document.list(place, "prefixItems").size();
        for (int i = 0; i < array.size(); i++) {
            Place schema = i < prefix ? place.at("prefixItems", i) : place.at("items");
            if (!schema.schema().isMissingNode() && !accepts(schema, array.get(i), depth + 1)) {
                return false;
            }
        }
        return true;
    }

    /** Whether two values are equal: numbers by value, objects without regard to order. */
    static boolean same(JsonNode a, JsonNode b) {
        if (a.isNumber() && b.isNumber()) {
            return SchemaDocument.isReasonable(a) && SchemaDocument.isReasonable(b)
                    ? a.decimalValue().compareTo(b.decimalValue()) == 0
                    : a.equals(b);
        }
        if (a.isArray() && b.isArray() && a.size() == b.size()) {
            for (int i = 0; i < a.size(); i++) {
                if (!same(a.get(i), b.get(i))) {
                    return false;
                }
            }
            return true;
        }
        if (a.isObject() && b.isObject() && a.size() == b.size()) {
            Iterator<String> names = a.fieldNames();
            while (names.hasNext()) {
                String name = names.next();
                if (!b.has(name) || !same(a.get(name), b.get(name))) {
                    return false;
                }
            }
            return true;
        }
        return a.equals(b);
    }
}
