package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Random;

/** Writes random schemas with all that is supported. */
final class RandomSchemas {

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private static final List<String> NAMES = List.of(
            "id",
            "name",
            "a",
            "ab",
            "abc",
            "na\u00EFve",
            "with space",
            "quo\"te",
            "back\\slash",
            "\uD83D\uDE00",
            "x/y",
            "~",
            "",
            "line\nfeed",
            "$ref",
            "type");

    private static final List<String> PATTERNS = List.of(
            "^[a-z]{2,5}$",
            "[0-9]",
            "^\\d{3}-\\d{4}$",
            "^(foo|bar|foobar)$",
            "a.c",
            "^\\S+@\\S+$",
            "^[^\"\\\\]*$",
            "\"",
            "^\\p{Lu}\\p{Ll}+$",
            "^$|^x",
            "(ab)+$",
            "^[\\u00e0-\\u00ff]{1,3}$",
            "^.{2,4}$",
            "^(a|b)*abb$",
            "\\\\",
            "^[\\t\\n ]+$",
            "\\d+(\\.\\d+)?");

    private final Random random;
    private int definitions;

    RandomSchemas(Random random) {
        this.random = random;
    }

    JsonNode schema(int depth) {
        definitions = random.nextInt(3) == 0 ? 1 + random.nextInt(3) : 0;
        ObjectNode root = any(depth);
        if (definitions > 0) {
            ObjectNode defs = root.putObject("$defs");
            for (int i = 0; i < definitions; i++) {
                // An alternative that ends keeps recursion satisfiable.
                ObjectNode definition = defs.putObject("d" + i);
                ArrayNode branches = definition.putArray("anyOf");
                branches.add(random.nextBoolean() ? object(depth) : array(depth));
                branches.add(scalar());
            }
        }
        return root;
    }

    private ObjectNode any(int depth) {
        if (definitions > 0 && random.nextInt(6) == 0) {
            return JSON.objectNode().put("$ref", "#/$defs/d" + random.nextInt(definitions));
        }
        if (depth <= 0) {
            return scalar();
        }
        return switch (random.nextInt(10)) {
            case 0, 1, 2, 3 -> object(depth);
            case 4, 5 -> array(depth);
            case 6 -> anyOf(depth);
            case 7 -> oneOf(depth);
            case 8 -> random.nextInt(3) == 0 ? JSON.objectNode() : object(depth);
            default -> scalar();
        };
    }

    private ObjectNode object(int depth) {
        ObjectNode schema = JSON.objectNode();
        schema.put("type", "object");
        int count = random.nextInt(5);
        ArrayNode required = JSON.arrayNode();
        if (count > 0 || random.nextBoolean()) {
            ObjectNode properties = schema.putObject("properties");
            for (int i = 0; i < count; i++) {
                String name = NAMES.get(random.nextInt(NAMES.size()));
                if (!properties.has(name)) {
                    properties.set(name, random.nextInt(20) == 0 ? JSON.booleanNode(true) : any(depth - 1));
                    if (random.nextInt(3) > 0) {
                        required.add(name);
                    }
                }
            }
        }
        boolean closed = false;
        switch (random.nextInt(4)) {
            case 0 -> {
                schema.put("additionalProperties", false);
                closed = true;
            }
            case 1 -> schema.set("additionalProperties", any(depth - 1));
            case 2 -> schema.put("additionalProperties", true);
            default -> {}
        }
        if (!closed && random.nextInt(6) == 0) {
            required.add("undeclared");
        }
        if (!required.isEmpty()) {
            schema.set("required", required);
        }
        return schema;
    }

    private ObjectNode array(int depth) {
        ObjectNode schema = JSON.objectNode();
        schema.put("type", "array");
        int prefix = random.nextInt(3) == 0 ? 1 + random.nextInt(3) : 0;
        if (prefix > 0) {
            ArrayNode items = schema.putArray("prefixItems");
            for (int i = 0; i < prefix; i++) {
                items.add(any(depth - 1));
            }
        }
        boolean closed = random.nextInt(5) == 0 && prefix > 0;
        if (closed) {
            schema.put("items", false);
        } else if (random.nextInt(5) > 0) {
            schema.set("items", any(depth - 1));
        }
        int min = random.nextInt(4);
        if (random.nextBoolean()) {
            schema.put("minItems", closed ? Math.min(min, prefix) : min);
        }
        if (random.nextBoolean()) {
            schema.put("maxItems", min + random.nextInt(3));
        }
        return schema;
    }

    private ObjectNode anyOf(int depth) {
        ObjectNode schema = JSON.objectNode();
        ArrayNode branches = schema.putArray("anyOf");
        int count = 1 + random.nextInt(3);
        for (int i = 0; i < count; i++) {
            branches.add(any(depth - 1));
        }
        return schema;
    }

    private ObjectNode oneOf(int depth) {
        ObjectNode schema = JSON.objectNode();
        ArrayNode branches = schema.putArray("oneOf");
        int count = 1 + random.nextInt(3);
        for (int i = 0; i < count; i++) {
            ObjectNode branch = object(depth);
            ObjectNode properties = branch.withObjectProperty("properties");
            properties.remove("kind");
            properties.putObject("kind").put("const", "k" + i);
            ArrayNode required = branch.withArrayProperty("required");
            required.add("kind");
            branches.add(branch);
        }
        if (random.nextBoolean()) {
            branches.addObject().put("type", "null");
        }
        return schema;
    }

    private ObjectNode scalar() {
        ObjectNode schema = JSON.objectNode();
        switch (random.nextInt(9)) {
            case 0, 1 -> string(schema);
            case 2 -> number(schema, "number");
            case 3 -> number(schema, "integer");
            case 4 -> schema.put("type", "boolean");
            case 5 -> {
                ArrayNode types = schema.putArray("type");
                types.add("string").add("null");
                if (random.nextBoolean()) {
                    types.add("integer").add("number");
                }
                if (random.nextBoolean()) {
                    schema.put("maxLength", random.nextInt(5)).put("minimum", 3);
                }
            }
            case 6 -> {
                ArrayNode values = schema.putArray("enum");
                for (int i = 1 + random.nextInt(5); i > 0; i--) {
                    values.add(value(2));
                }
            }
            case 7 -> schema.set("const", value(3));
            default -> {
                if (random.nextBoolean()) {
                    schema.put("minLength", 1);
                }
                if (random.nextBoolean()) {
                    schema.put("exclusiveMaximum", 10);
                }
            }
        }
        return schema;
    }

    private void string(ObjectNode schema) {
        schema.put("type", "string");
        int kind = random.nextInt(6);
        if (kind == 0) {
            schema.put("pattern", PATTERNS.get(random.nextInt(PATTERNS.size())));
        } else if (kind == 1) {
            StringFormat[] formats = StringFormat.values();
            schema.put("format", formats[random.nextInt(formats.length)].schemaName());
        } else if (kind == 2) {
            schema.put("pattern", List.of("[a-z]", "^\\w*$", "^[^ ]+", "x.*y").get(random.nextInt(4)));
        }
        if (kind >= 2) {
            int min = random.nextInt(5);
            if (random.nextBoolean()) {
                schema.put("minLength", min);
            }
            if (random.nextBoolean()) {
                schema.put("maxLength", min + 2 + random.nextInt(random.nextInt(10) == 0 ? 100_000 : 6));
            }
        }
    }

    private void number(ObjectNode schema, String type) {
        schema.put("type", type);
        boolean integer = type.equals("integer");
        double low = integer ? random.nextInt(2_000) - 1_000 : (random.nextInt(200_000) - 100_000) / 100.0;
        double width = integer ? 10 + random.nextInt(1_000) : random.nextInt(10_000) / 1_000.0 + 0.5;
        if (random.nextInt(3) > 0) {
            schema.put(random.nextBoolean() ? "minimum" : "exclusiveMinimum", low);
        }
        if (random.nextInt(3) > 0) {
            schema.put(random.nextBoolean() ? "maximum" : "exclusiveMaximum", low + width);
        }
        if (random.nextInt(3) == 0) {
            if (integer) {
                schema.put("multipleOf", 1 + random.nextInt(7));
            } else {
                schema.put("multipleOf", List.of(0.1, 0.25, 0.01, 0.5).get(random.nextInt(4)));
            }
        }
    }

    private JsonNode value(int depth) {
        return switch (random.nextInt(depth > 0 ? 9 : 7)) {
            case 0 -> JSON.nullNode();
            case 1 -> JSON.booleanNode(random.nextBoolean());
            case 2 -> JSON.numberNode(random.nextInt(2_000) - 1_000);
            case 3 -> JSON.numberNode(random.nextInt(2_000) / 8.0);
            case 4, 5, 6 -> JSON.textNode(NAMES.get(random.nextInt(NAMES.size())));
            case 7 -> {
                ArrayNode array = JSON.arrayNode();
                for (int i = random.nextInt(3); i > 0; i--) {
                    array.add(value(depth - 1));
                }
                yield array;
            }
            default -> {
                ObjectNode object = JSON.objectNode();
                for (int i = random.nextInt(3); i > 0; i--) {
                    object.set(NAMES.get(random.nextInt(NAMES.size())), value(depth - 1));
                }
                yield object;
            }
        };
    }
}
