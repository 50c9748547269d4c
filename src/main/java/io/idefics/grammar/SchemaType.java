package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The types of JSON Schema. Integers are numbers, so a set with NUMBER has both. */
enum SchemaType {
    STRING,
    NUMBER,
    INTEGER,
    BOOLEAN,
    NULL,
    OBJECT,
    ARRAY;

    /** All types. */
    static Set<SchemaType> all() {
        return EnumSet.complementOf(EnumSet.of(INTEGER));
    }

    static @Nullable SchemaType named(String name) {
        for (SchemaType type : values()) {
            if (type.name().toLowerCase(Locale.ROOT).equals(name)) {
                return type;
            }
        }
        return null;
    }

    /** The types that both sets have. */
    static Set<SchemaType> shared(Set<SchemaType> a, Set<SchemaType> b) {
        Set<SchemaType> shared = EnumSet.noneOf(SchemaType.class);
        for (SchemaType type : a) {
            if (b.contains(type) || type == INTEGER && b.contains(NUMBER)) {
                shared.add(type);
            }
        }
        if (a.contains(NUMBER) && b.contains(INTEGER)) {
            shared.add(INTEGER);
        }
        if (shared.contains(NUMBER)) {
            shared.remove(INTEGER);
        }
        return shared;
    }

    /** Whether a value is of this type; 1.0 is an integer. */
    boolean has(JsonNode value) {
        return switch (this) {
            case STRING -> value.isTextual();
            case NUMBER -> value.isNumber();
            case INTEGER ->
                value.isNumber() && value.decimalValue().stripTrailingZeros().scale() <= 0;
            case BOOLEAN -> value.isBoolean();
            case NULL -> value.isNull();
            case OBJECT -> value.isObject();
            case ARRAY -> value.isArray();
        };
    }
}
