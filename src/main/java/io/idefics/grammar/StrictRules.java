package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.idefics.generation.GenerationException;
import io.idefics.grammar.SchemaDocument.Place;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

/**
 * The rules for strict schemas that OpenAI documents for structured outputs: objects are closed and all their properties
 * required, the root is an object, and sizes are limited. Not thread-safe.
 */
final class StrictRules {

    static final int MAX_PROPERTIES = 5_000;
    static final int MAX_LEVELS = 10;
    static final int MAX_VALUES = 1_000;
    static final int MAX_NAME_CHARACTERS = 120_000;

    /** Of the strings of one enum with more than {@link #MANY_VALUES}. */
    static final int MAX_VALUE_CHARACTERS = 15_000;

    static final int MANY_VALUES = 250;

    private static final int MAX_DEPTH = 200;

    private final SchemaDocument document;
    private final SchemaError error;
    private int properties;
    private int values;
    private long characters;

    private StrictRules(SchemaDocument document) {
        this.document = document;
        this.error = document.error();
    }

    /**
     * Checks a schema.
     *
     * @throws GenerationException where it breaks a rule
     */
    static void check(SchemaDocument document) {
        StrictRules rules = new StrictRules(document);
        Place root = document.root();
        if (root.has("anyOf") || root.has("oneOf")) {
            throw rules.error.invalid("", "must be an object, not anyOf or oneOf, since it is strict");
        }
        Set<SchemaType> types = document.types(document.resolve(root));
        if (!EnumSet.of(SchemaType.OBJECT).equals(types)) {
            throw rules.error.invalid("", "must have the type object, since it is strict");
        }
        rules.visit(root, 0, 0);
    }

    private void visit(Place place, int levels, int depth) {
        if (depth > MAX_DEPTH) {
            throw error.invalid(place.pointer(), "is nested deeper than " + MAX_DEPTH + " levels");
        }
        if (!place.schema().isObject()) {
            return;
        }
        place.schema().fieldNames().forEachRemaining(keyword -> {
            if (!SchemaDocument.isKnown(keyword)) {
                throw error.unsupported(
                        place.pointer(),
                        SchemaError.shown(TextNode.valueOf(keyword)),
                        "leave it out, since the schema is strict");
            }
        });
        boolean object = place.has("properties") || isObject(place);
        int level = object ? levels + 1 : levels;
        if (level > MAX_LEVELS) {
            throw error.invalid(
                    place.pointer(), "is an object on level " + level + ", more than " + MAX_LEVELS + ", and strict");
        }
        if (object) {
            visitObject(place);
        }
        countValues(place);
        for (String keyword : List.of("properties", "$defs", "definitions")) {
            Iterator<String> names = place.schema().path(keyword).fieldNames();
            while (names.hasNext()) {
                String name = names.next();
                addCharacters(place, name);
                visit(place.at(keyword, name), keyword.equals("properties") ? level : 0, depth + 1);
            }
        }
        for (String keyword : List.of("anyOf", "oneOf", "allOf", "prefixItems")) {
            for (int i = 0; i < place.schema().path(keyword).size(); i++) {
                visit(place.at(keyword, i), level, depth + 1);
            }
        }
        visit(place.at("items"), level, depth + 1);
    }

    private boolean isObject(Place place) {
        Set<SchemaType> types = document.types(place);
        return types != null && types.contains(SchemaType.OBJECT);
    }

    private void visitObject(Place place) {
        if (!place.at("additionalProperties").isFalse()) {
            throw error.invalid(place.pointer(), "must have additionalProperties false, since it is strict");
        }
        Set<String> required = document.required(place);
        for (String name : document.properties(place)) {
            if (!required.contains(name)) {
                throw error.invalid(
                        place.pointer(),
                        "must require all its properties, since it is strict, but not "
                                + SchemaError.shown(TextNode.valueOf(name)));
            }
            if (++properties > MAX_PROPERTIES) {
                throw error.invalid(place.pointer(), "is beyond the limit of " + MAX_PROPERTIES + " properties in all");
            }
        }
    }

    private void countValues(Place place) {
        JsonNode listed = place.schema().path("enum");
        long own = 0;
        for (JsonNode value : listed) {
            String text = value.isTextual() ? value.textValue() : value.toString();
            own += text.length();
            addCharacters(place, text);
            if (++values > MAX_VALUES) {
                throw error.invalid(place.pointer(), "is beyond the limit of " + MAX_VALUES + " values of enum in all");
            }
        }
        if (listed.size() > MANY_VALUES && own > MAX_VALUE_CHARACTERS) {
            throw error.invalid(
                    place.pointer(),
                    "has enum of " + listed.size() + " values with " + own + " characters, more than "
                            + MAX_VALUE_CHARACTERS);
        }
        if (place.has("const")) {
            addCharacters(place, place.schema().path("const").toString());
        }
    }

    private void addCharacters(Place place, String text) {
        characters += text.length();
        if (characters > MAX_NAME_CHARACTERS) {
            throw error.invalid(
                    place.pointer(),
                    "is beyond the limit of " + MAX_NAME_CHARACTERS + " characters of names and values in all");
        }
    }
}
