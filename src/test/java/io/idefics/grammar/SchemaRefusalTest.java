package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.util.function.Consumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Schemas that are refused, with the place and the keyword. */
class SchemaRefusalTest {

    private static final String PARAM = "response_format.json_schema.schema";

    private static void assertRefused(JsonNode schema, boolean strict, ErrorType type, String... parts) {
        assertThatThrownBy(() -> Answers.SMALL_GRAMMARS.schema(schema, strict, PARAM))
                .isInstanceOfSatisfying(GenerationException.class, e -> {
                    assertThat(e.getMessage()).contains(parts);
                    assertThat(e.type()).isEqualTo(type);
                    assertThat(e.param()).isEqualTo(PARAM);
                });
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            quoteCharacter = '`',
            value = {
                "allOf ! [{\"type\":\"string\"},{\"minLength\":1}]",
                "not ! {}",
                "if ! {}",
                "then ! {}",
                "else ! {}",
                "patternProperties ! {}",
                "propertyNames ! {}",
                "minProperties ! 1",
                "maxProperties ! 1",
                "uniqueItems ! true",
                "contains ! {}",
                "minContains ! 1",
                "maxContains ! 1",
                "additionalItems ! false",
                "dependencies ! {}",
                "dependentRequired ! {}",
                "dependentSchemas ! {}",
                "unevaluatedItems ! false",
                "unevaluatedProperties ! false",
                "$dynamicRef ! \"#a\"",
                "$recursiveRef ! \"#\""
            })
    void unsupportedKeyword_anywhere_isRefusedWithItsPlace(String keyword, String value) {
        String nested = "{\"type\":\"object\",\"properties\":{\"a/b\":{\"type\":\"array\",\"items\":{\""
                + keyword.trim() + "\":" + value + "}}}}";
        assertRefused(
                Validation.parse(nested),
                false,
                ErrorType.UNSUPPORTED_PARAMETER,
                "/properties/a~1b/items",
                keyword.trim(),
                "not supported;");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"$ref\":\"https://example.com/x\"}",
                "{\"$ref\":\"#anchor\"}",
                "{\"$ref\":\"#/$defs/a\",\"minimum\":1,\"$defs\":{\"a\":{}}}",
                "{\"type\":\"string\",\"format\":\"uri-template\"}",
                "{\"pattern\":\"(?=a)\"}",
                "{\"oneOf\":[{\"type\":\"string\"},{\"maxLength\":3}]}",
                "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}",
                "{\"anyOf\":[{}],\"properties\":{}}",
                "{\"items\":[{}]}"
            })
    void unsupportedUse_isRefused(String schema) {
        assertRefused(Validation.parse(schema), false, ErrorType.UNSUPPORTED_PARAMETER, "The schema at ");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1",
                "false",
                "{\"type\":\"text\"}",
                "{\"type\":[]}",
                "{\"type\":1}",
                "{\"enum\":[]}",
                "{\"enum\":{}}",
                "{\"enum\":[1,2],\"type\":\"string\"}",
                "{\"const\":\"abc\",\"maxLength\":2}",
                "{\"enum\":[\"a\"],\"const\":\"b\"}",
                "{\"minimum\":3,\"maximum\":2}",
                "{\"exclusiveMinimum\":true}",
                "{\"type\":\"integer\",\"minimum\":0.1,\"maximum\":0.9}",
                "{\"type\":\"number\",\"exclusiveMinimum\":1,\"maximum\":1}",
                "{\"multipleOf\":0}",
                "{\"type\":\"integer\",\"multipleOf\":1e400}",
                "{\"minLength\":3,\"maxLength\":2}",
                "{\"minLength\":-1}",
                "{\"minLength\":1.5}",
                "{\"minLength\":2000000}",
                "{\"pattern\":\"[\"}",
                "{\"pattern\":\"a^\"}",
                "{\"pattern\":\"^a{3}$\",\"maxLength\":2}",
                "{\"format\":\"uuid\",\"pattern\":\"x\"}",
                "{\"minItems\":3,\"maxItems\":2}",
                "{\"prefixItems\":[{}],\"items\":false,\"minItems\":2}",
                "{\"prefixItems\":[]}",
                "{\"anyOf\":[]}",
                "{\"anyOf\":[false]}",
                "{\"type\":\"integer\",\"anyOf\":[{\"type\":\"string\"}]}",
                "{\"properties\":[]}",
                "{\"properties\":{\"a\":1}}",
                "{\"required\":\"a\"}",
                "{\"required\":[\"a\"],\"additionalProperties\":false}",
                "{\"required\":[\"a\"],\"properties\":{\"a\":false}}",
                "{\"$ref\":\"#/$defs/a\"}",
                "{\"$ref\":1}",
                "{\"$ref\":\"#\"}",
                "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/a\"}}}",
                "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
                "{\"const\":\"\\ud800\"}"
            })
    void senselessSchema_isRefused(String schema) {
        assertRefused(Validation.parse(schema), false, ErrorType.INVALID_VALUE, "schema");
    }

    /** What breaks a rule for strict schemas alone. */
    private enum Breach {
        OPEN("/properties/a", schema -> nested(schema).remove("additionalProperties")),
        ADDITIONAL("/properties/a", schema -> nested(schema).put("additionalProperties", true)),
        OPTIONAL("require all", schema -> schema.putArray("required")),
        ROOT_ANY_OF("anyOf", schema -> {
            JsonNode copy = schema.deepCopy();
            schema.removeAll();
            schema.putArray("anyOf").add(copy);
        }),
        ROOT_ARRAY("type object", schema -> {
            JsonNode copy = schema.deepCopy();
            schema.removeAll();
            schema.put("type", "array").set("items", copy);
        }),
        UNKNOWN("\"x-own\"", schema -> schema.put("x-own", 1)),
        PROPERTIES("5000 properties", schema -> {
            ObjectNode properties = nested(schema).putObject("properties");
            ArrayNode required = nested(schema).putArray("required");
            for (int i = 0; i < 5_000; i++) {
                properties.putObject("p" + i).put("type", "null");
                required.add("p" + i);
            }
        }),
        LEVELS("level 11", schema -> {
            ObjectNode at = nested(schema);
            for (int level = 2; level < 11; level++) {
                at.putArray("required").add("a");
                at = closed(at.putObject("properties").putObject("a"));
            }
        }),
        VALUES("1000 values", schema -> {
            ArrayNode values =
                    nested(schema).putObject("properties").putObject("e").putArray("enum");
            nested(schema).putArray("required").add("e");
            for (int i = 0; i <= 1_000; i++) {
                values.add(i);
            }
        }),
        LONG_VALUES("15000", schema -> {
            ArrayNode values =
                    nested(schema).putObject("properties").putObject("e").putArray("enum");
            nested(schema).putArray("required").add("e");
            for (int i = 0; i < 300; i++) {
                values.add("x".repeat(60) + i);
            }
        }),
        CHARACTERS("120000 characters", schema -> {
            ObjectNode properties = nested(schema).putObject("properties");
            ArrayNode required = nested(schema).putArray("required");
            for (int i = 0; i < 200; i++) {
                properties.putObject(i + "x".repeat(700)).put("type", "null");
                required.add(i + "x".repeat(700));
            }
        });

        private final String part;
        private final Consumer<ObjectNode> change;

        Breach(String part, Consumer<ObjectNode> change) {
            this.part = part;
            this.change = change;
        }

        private static ObjectNode nested(ObjectNode schema) {
            return (ObjectNode) schema.path("properties").path("a");
        }
    }

    private static ObjectNode closed(ObjectNode schema) {
        schema.put("type", "object").put("additionalProperties", false).putObject("properties");
        schema.putArray("required");
        return schema;
    }

    @ParameterizedTest
    @EnumSource(Breach.class)
    void strictSchema_thatBreaksARule_isRefusedOnlyForThat(Breach breach) {
        ObjectNode schema = closed(JsonNodeFactory.instance.objectNode());
        closed(schema.withObjectProperty("properties").putObject("a"));
        schema.withArrayProperty("required").add("a");
        assertThat(Answers.SMALL_GRAMMARS.schema(schema, true, PARAM).leastTokens())
                .isPositive();
        breach.change.accept(schema);
        ErrorType type = breach == Breach.UNKNOWN ? ErrorType.UNSUPPORTED_PARAMETER : ErrorType.INVALID_VALUE;
        assertRefused(schema, true, type, breach.part);
        assertThat(Answers.SMALL_GRAMMARS.schema(schema, false, PARAM).leastTokens())
                .isPositive();
    }
}
