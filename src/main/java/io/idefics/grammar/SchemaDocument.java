package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.idefics.generation.GenerationException;
import java.math.BigDecimal;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads the keywords of a JSON Schema (draft 2020-12, and what draft-07 spells otherwise). Immutable. */
final class SchemaDocument {

    /** The most that a keyword may ask for at least, of characters or items. */
    static final int MAX_LEAST = 1_000_000;

    /** The largest power of ten that a number may have. */
    private static final int MAX_EXPONENT = 330;

    /** What neither says anything about values nor matters here. */
    private static final Set<String> ANNOTATIONS = Set.of(
            "title",
            "description",
            "default",
            "examples",
            "deprecated",
            "readOnly",
            "writeOnly",
            "$schema",
            "$id",
            "id",
            "$comment",
            "$anchor",
            "$vocabulary",
            "$defs",
            "definitions",
            "contentMediaType",
            "contentEncoding",
            "contentSchema");

    static final Set<String> STRING_KEYWORDS = Set.of("minLength", "maxLength", "pattern", "format");
    static final Set<String> NUMBER_KEYWORDS =
            Set.of("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf");
    static final Set<String> OBJECT_KEYWORDS = Set.of("properties", "required", "additionalProperties");
    static final Set<String> ARRAY_KEYWORDS = Set.of("items", "prefixItems", "minItems", "maxItems");
    private static final Set<String> GENERAL_KEYWORDS = Set.of("type", "enum", "const", "anyOf", "oneOf", "$ref");

    private static final Map<String, String> UNSUPPORTED = Map.ofEntries(
            Map.entry("allOf", "merge the schemas into one"),
            Map.entry("not", "describe the values that are allowed"),
            Map.entry("if", "use anyOf"),
            Map.entry("then", "use anyOf"),
            Map.entry("else", "use anyOf"),
            Map.entry("patternProperties", "name the properties, or use additionalProperties"),
            Map.entry("propertyNames", "name the properties"),
            Map.entry("minProperties", "use required"),
            Map.entry("maxProperties", "name the properties and set additionalProperties to false"),
            Map.entry("uniqueItems", "leave it out"),
            Map.entry("contains", "use items or prefixItems"),
            Map.entry("minContains", "use items or prefixItems"),
            Map.entry("maxContains", "use items or prefixItems"),
            Map.entry("additionalItems", "use prefixItems with items"),
            Map.entry("dependencies", "use anyOf"),
            Map.entry("dependentRequired", "use anyOf"),
            Map.entry("dependentSchemas", "use anyOf"),
            Map.entry("unevaluatedItems", "use items"),
            Map.entry("unevaluatedProperties", "use additionalProperties"),
            Map.entry("$dynamicRef", "use $ref"),
            Map.entry("$dynamicAnchor", "use $ref"),
            Map.entry("$recursiveRef", "use $ref"),
            Map.entry("$recursiveAnchor", "use $ref"));

    /**
     * A schema and where it is.
     *
     * @param pointer from the root of the document (RFC 6901)
     */
    record Place(JsonNode schema, String pointer) {

        /** The schema that a keyword has. */
        Place at(String keyword) {
            return new Place(schema.path(keyword), pointer + "/" + keyword);
        }

        /** The schema that a keyword has under a name. */
        Place at(String keyword, String name) {
            return new Place(
                    schema.path(keyword).path(name),
                    pointer + "/" + keyword + "/" + name.replace("~", "~0").replace("/", "~1"));
        }

        /** A schema of the list that a keyword has. */
        Place at(String keyword, int index) {
            return new Place(schema.path(keyword).path(index), pointer + "/" + keyword + "/" + index);
        }

        boolean isFalse() {
            return schema.isBoolean() && !schema.booleanValue();
        }

        boolean isTrue() {
            return schema.isBoolean() && schema.booleanValue();
        }

        boolean has(String keyword) {
            return schema.has(keyword);
        }

        boolean hasAny(Set<String> keywords) {
            return keywords.stream().anyMatch(schema::has);
        }
    }

    private final Place root;
    private final SchemaError error;

    SchemaDocument(JsonNode root, SchemaError error) {
        this.root = new Place(root, "");
        this.error = error;
    }

    Place root() {
        return root;
    }

    SchemaError error() {
        return error;
    }

    /** Whether a keyword says nothing about values, or is known to nobody. */
    static boolean isAnnotation(String keyword) {
        return ANNOTATIONS.contains(keyword) || !isKnown(keyword);
    }

    /** Whether JSON Schema has a keyword of this name. */
    static boolean isKnown(String keyword) {
        return ANNOTATIONS.contains(keyword)
                || GENERAL_KEYWORDS.contains(keyword)
                || STRING_KEYWORDS.contains(keyword)
                || NUMBER_KEYWORDS.contains(keyword)
                || OBJECT_KEYWORDS.contains(keyword)
                || ARRAY_KEYWORDS.contains(keyword)
                || UNSUPPORTED.containsKey(keyword);
    }

    /**
     * Checks that a schema is one, and has only keywords that are supported.
     *
     * @throws GenerationException otherwise
     */
    void check(Place place) {
        JsonNode schema = place.schema();
        if (schema.isBoolean()) {
            return;
        }
        if (!schema.isObject()) {
            throw error.invalid(
                    place.pointer(), "must be an object, true or false, but is " + SchemaError.shown(schema));
        }
        Iterator<String> names = schema.fieldNames();
        while (names.hasNext()) {
            String name = names.next();
            String instead = UNSUPPORTED.get(name);
            if (instead != null && !isHarmless(place, name)) {
                throw error.unsupported(place.pointer(), name, instead);
            }
        }
        if (place.has("items") && schema.path("items").isArray()) {
            throw error.unsupported(place.pointer(), "items with a list", "use prefixItems");
        }
        if (place.has("$ref")) {
            requireAlone(place, "$ref", Set.of());
        }
    }

    /** One schema in allOf is that schema; false forbids nothing. */
    private static boolean isHarmless(Place place, String keyword) {
        JsonNode value = place.schema().path(keyword);
        return keyword.equals("allOf") && value.size() == 1
                || keyword.equals("uniqueItems") && value.isBoolean() && !value.booleanValue();
    }

    /** Checks that a keyword stands beside none but annotations and some others. */
    void requireAlone(Place place, String keyword, Set<String> others) {
        Iterator<String> names = place.schema().fieldNames();
        while (names.hasNext()) {
            String name = names.next();
            if (!name.equals(keyword) && !others.contains(name) && !isAnnotation(name)) {
                throw error.unsupported(
                        place.pointer(), name + " beside " + keyword, "put all of it into the schemas themselves");
            }
        }
    }

    /** The schema that a reference leads to, through further references. */
    Place resolve(Place place) {
        Place at = place;
        for (int hops = 0; at.has("$ref"); hops++) {
            if (hops > 100) {
                throw error.invalid(place.pointer(), "refers to itself, or has more than 100 references in a row");
            }
            check(at);
            at = target(at);
        }
        check(at);
        return at;
    }

    /** The schema that the reference of a schema leads to. */
    Place target(Place place) {
        JsonNode reference = place.schema().path("$ref");
        if (!reference.isTextual()) {
            throw error.invalid(place.pointer(), "has a $ref that is no string");
        }
        String text = reference.textValue();
        if (!text.startsWith("#")) {
            throw error.unsupported(
                    place.pointer(), "a $ref to another document, " + SchemaError.shown(reference), "use $defs");
        }
        if (text.length() > 1 && text.charAt(1) != '/') {
            throw error.unsupported(
                    place.pointer(), "a $ref to an anchor, " + SchemaError.shown(reference), "use #/$defs/...");
        }
        JsonNode at = root.schema();
        String pointer = decoded(text.substring(1), place);
        if (!pointer.isEmpty()) {
            for (String token : pointer.substring(1).split("/", -1)) {
                String name = token.replace("~1", "/").replace("~0", "~");
                at = at.isArray() ? item(at, name) : at.path(name);
            }
        }
        if (at.isMissingNode()) {
            throw error.invalid(place.pointer(), "has a $ref to nothing: " + SchemaError.shown(reference));
        }
        return new Place(at, pointer);
    }

    private static JsonNode item(JsonNode array, String index) {
        return index.matches("0|[1-9][0-9]{0,8}") ? array.path(Integer.parseInt(index)) : MissingNode.getInstance();
    }

    private String decoded(String fragment, Place place) {
        try {
            return URLDecoder.decode(fragment.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw error.invalid(place.pointer(), "has a malformed $ref");
        }
    }

    /** The types that a schema names; null if it names none. */
    @Nullable
    Set<SchemaType> types(Place place) {
        JsonNode type = place.schema().path("type");
        if (type.isMissingNode()) {
            return null;
        }
        Set<SchemaType> types = EnumSet.noneOf(SchemaType.class);
        for (JsonNode name : type.isArray() ? type : List.of(type)) {
            SchemaType known = name.isTextual() ? SchemaType.named(name.textValue()) : null;
            if (known == null) {
                throw error.invalid(
                        place.pointer(),
                        "has the type " + SchemaError.shown(name)
                                + ", which is none of string, number, integer, boolean, null, object and array");
            }
            types.add(known);
        }
        if (types.isEmpty()) {
            throw error.invalid(place.pointer(), "has an empty list as type");
        }
        return SchemaType.shared(types, types);
    }

    /** A count that a keyword has. */
    int count(Place place, String keyword, int otherwise) {
        JsonNode value = place.schema().path(keyword);
        if (value.isMissingNode()) {
            return otherwise;
        }
        if (!SchemaType.INTEGER.has(finite(place, keyword))
                || value.decimalValue().signum() < 0) {
            throw error.invalid(
                    place.pointer(), "has " + keyword + " " + SchemaError.shown(value) + ", which is no count");
        }
        return value.decimalValue()
                .min(BigDecimal.valueOf(Integer.MAX_VALUE - 1))
                .intValue();
    }

    /** A number that a keyword has; null if the keyword is not there. */
    @Nullable
    BigDecimal number(Place place, String keyword) {
        return place.has(keyword) ? finite(place, keyword).decimalValue() : null;
    }

    private JsonNode finite(Place place, String keyword) {
        JsonNode value = place.schema().path(keyword);
        if (!value.isNumber()) {
            throw error.invalid(
                    place.pointer(), "has " + keyword + " " + SchemaError.shown(value) + ", which is no number");
        }
        if (!isReasonable(value)) {
            throw error.invalid(
                    place.pointer(), "has " + keyword + " " + SchemaError.shown(value) + ", which is out of range");
        }
        return value;
    }

    /** Whether a number neither is infinite nor has an enormous exponent, on which arithmetic would not end. */
    static boolean isReasonable(JsonNode number) {
        if (number.isFloatingPointNumber() && !number.isBigDecimal() && !Double.isFinite(number.doubleValue())) {
            return false;
        }
        BigDecimal value = number.decimalValue();
        return Math.abs((long) value.precision() - value.scale()) <= MAX_EXPONENT
                && Math.abs(value.scale()) <= MAX_EXPONENT;
    }

    /** A text that a keyword has; null if the keyword is not there. */
    @Nullable
    String text(Place place, String keyword) {
        JsonNode value = place.schema().path(keyword);
        if (value.isMissingNode()) {
            return null;
        }
        if (!value.isTextual()) {
            throw error.invalid(
                    place.pointer(), "has " + keyword + " " + SchemaError.shown(value) + ", which is no string");
        }
        return value.textValue();
    }

    /** The schemas of the list that a keyword has. */
    List<Place> list(Place place, String keyword) {
        JsonNode value = place.schema().path(keyword);
        if (value.isMissingNode()) {
            return List.of();
        }
        if (!value.isArray() || value.isEmpty()) {
            throw error.invalid(place.pointer(), "has " + keyword + " that is no list with at least one schema");
        }
        List<Place> places = new ArrayList<>();
        for (int i = 0; i < value.size(); i++) {
            places.add(place.at(keyword, i));
        }
        return places;
    }

    /** The names of the properties that a schema declares, in order. */
    List<String> properties(Place place) {
        JsonNode properties = place.schema().path("properties");
        if (!properties.isMissingNode() && !properties.isObject()) {
            throw error.invalid(place.pointer(), "has properties that are no object");
        }
        List<String> names = new ArrayList<>();
        properties.fieldNames().forEachRemaining(names::add);
        names.forEach(name -> requireName(place, name));
        return names;
    }

    /** The names of the properties that a schema requires. */
    Set<String> required(Place place) {
        JsonNode required = place.schema().path("required");
        Set<String> names = new LinkedHashSet<>();
        if (required.isMissingNode()) {
            return names;
        }
        boolean list = required.isArray();
        for (JsonNode name : required) {
            list &= name.isTextual();
            names.add(name.asText());
        }
        if (!list) {
            throw error.invalid(place.pointer(), "has required that is no list of names");
        }
        names.forEach(name -> requireName(place, name));
        return names;
    }

    private void requireName(Place place, String name) {
        if (name.length() > 1_000) {
            throw error.invalid(place.pointer(), "has a name of " + name.length() + " characters, more than 1000");
        }
        requireWellFormed(place, name);
    }

    /** Checks that a text can be written in UTF-8. */
    void requireWellFormed(Place place, String text) {
        if (text.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
            throw error.invalid(place.pointer(), "has half a surrogate pair in a string");
        }
    }

    /** The values that a schema lists; null if it lists none. */
    @Nullable
    List<JsonNode> values(Place place) {
        JsonNode schema = place.schema();
        if (!schema.has("enum") && !schema.has("const")) {
            return null;
        }
        List<JsonNode> values = new ArrayList<>();
        if (schema.has("enum")) {
            if (!schema.path("enum").isArray()) {
                throw error.invalid(place.pointer(), "has enum that is no list");
            }
            schema.path("enum").forEach(values::add);
            if (schema.has("const")) {
                values.removeIf(value -> !InstanceCheck.same(value, schema.path("const")));
            }
        } else {
            values.add(schema.path("const"));
        }
        return values;
    }
}
