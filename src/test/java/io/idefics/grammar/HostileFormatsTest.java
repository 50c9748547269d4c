package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.generation.GenerationException;
import io.idefics.grammar.Answers.Taste;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Formats that are large or ambiguous on purpose: they are followed or refused, but never in much time. */
@Timeout(20)
class HostileFormatsTest {

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private static void write(TokenGrammar grammar, int budget) {
        for (Taste taste : List.of(Taste.NOTHING, Taste.LETTERS, Taste.NEVER_ENDING, Taste.OPENING)) {
            Answers.write(grammar, true, taste, Math.max(budget, grammar.leastTokens()), new Random(7));
        }
    }

    private static void assertRefused(JsonNode schema) {
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.schema(schema, false, "schema"))
                .isInstanceOf(GenerationException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "((a*)*){1000}",
                "(a|aa|aaa)*b",
                "(.*a.{100}){3}b?",
                "(.*[aeiou].{30}){5}",
                "((a?){1000}){100}",
                "(x{1,50000}y{1,50000}){1,100}",
                "(\\p{L}{1,50} ){1,50}\\p{Lu}.*",
                "(([a-z]+)+)+!?",
                "((a{0,9}){0,9}){0,9}",
                "[\\s\\S]{0,100000}"
            })
    void regex_ambiguous_isFollowed(String pattern) {
        write(Answers.FULL_GRAMMARS.regex(pattern, "regex"), 60);
    }

    @ParameterizedTest
    @ValueSource(strings = {"((a{100000}){100000}){100000}", "a{1000000000}", "(((((a{9999}){9999})))){20,}"})
    void regex_tooLong_isRefused(String pattern) {
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.regex(pattern, "regex")).isInstanceOf(GenerationException.class);
    }

    @Test
    void regex_manyPartsOrGroups_isFollowedOrRefused() {
        write(Answers.FULL_GRAMMARS.regex("a?".repeat(4_000), "regex"), 40);
        write(Answers.FULL_GRAMMARS.regex("(?:" + "a?".repeat(3_000) + ")*", "regex"), 40);
        write(Answers.FULL_GRAMMARS.regex("(".repeat(100) + "a" + ")*".repeat(100), "regex"), 10);
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.regex("(".repeat(101) + ")".repeat(101), "regex"))
                .isInstanceOf(GenerationException.class);
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.regex("a".repeat(10_001), "regex"))
                .isInstanceOf(GenerationException.class);
        refusedOrFollowed("^?|".substring(2) + "(^|a)?".repeat(1_500) + "b");
        refusedOrFollowed(IntStream.range(0, 1_000)
                .mapToObj(i -> "[\\u" + String.format("%04x", 0x1000 + 7 * i) + "-\\u"
                        + String.format("%04x", 0x1003 + 7 * i) + "]")
                .reduce("", String::concat)
                .substring(0, 9_990 / 15 * 15));
    }

    private static void refusedOrFollowed(String pattern) {
        TokenGrammar grammar;
        try {
            grammar = Answers.FULL_GRAMMARS.regex(pattern, "regex");
        } catch (GenerationException e) {
            assertThat(e.getMessage()).contains("regex");
            return;
        }
        write(grammar, 40);
    }

    @Test
    void choice_manyOrLongStrings_isFollowedOrRefused() {
        List<String> many =
                IntStream.range(0, 10_000).mapToObj(i -> "choice " + i).toList();
        write(Answers.FULL_GRAMMARS.choice(many, "choice"), 30);
        List<String> nested = new ArrayList<>();
        for (int i = 1; i < 600; i++) {
            nested.add("a".repeat(i));
        }
        write(Answers.FULL_GRAMMARS.choice(nested, "choice"), 30);
        List<String> more = new ArrayList<>(many);
        more.add("x");
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.choice(more, "choice")).isInstanceOf(GenerationException.class);
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.choice(List.of("x".repeat(200_001)), "choice"))
                .isInstanceOf(GenerationException.class);
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.choice(List.of("\ud800"), "choice"))
                .isInstanceOf(GenerationException.class);
    }

    @Test
    void schema_deep_isFollowedOrRefused() {
        write(Answers.FULL_GRAMMARS.schema(nestedArrays(90), false, "schema"), 300);
        assertRefused(nestedArrays(150));
        ObjectNode chain = JSON.objectNode().put("$ref", "#/$defs/d0");
        ObjectNode defs = chain.putObject("$defs");
        for (int i = 0; i < 10_000; i++) {
            defs.putObject("d" + i).put("$ref", "#/$defs/d" + (i + 1));
        }
        defs.putObject("d10000").put("type", "null");
        write(Answers.FULL_GRAMMARS.schema(chain, false, "schema"), 5);
    }

    private static JsonNode nestedArrays(int depth) {
        ObjectNode root = JSON.objectNode();
        ObjectNode at = root;
        for (int i = 0; i < depth; i++) {
            at.put("type", "array").put("minItems", 1);
            at = at.putObject("items");
        }
        return root;
    }

    @Test
    void schema_manyProperties_isFollowedOrRefused() {
        write(Answers.FULL_GRAMMARS.schema(object(500, false), false, "schema"), 200);
        TokenGrammar required = Answers.FULL_GRAMMARS.schema(object(5_000, true), true, "schema");
        assertThat(required.leastTokens()).isGreaterThan(10_000);
        assertRefused(object(501, false));
    }

    private static JsonNode object(int count, boolean isRequired) {
        ObjectNode schema = JSON.objectNode().put("type", "object").put("additionalProperties", false);
        ObjectNode properties = schema.putObject("properties");
        ArrayNode required = schema.putArray("required");
        for (int i = 0; i < count; i++) {
            properties.putObject("property_" + i).put("type", "string");
            if (isRequired) {
                required.add("property_" + i);
            }
        }
        return schema;
    }

    @Test
    void schema_manyValues_isFollowed() {
        ObjectNode schema = JSON.objectNode();
        ArrayNode values = schema.putArray("enum");
        for (int i = 0; i < 20_000; i++) {
            values.add("value " + i);
        }
        write(Answers.FULL_GRAMMARS.schema(schema, false, "schema"), 30);
    }

    @Test
    void schema_manyBranches_isFollowedOrRefused() {
        ObjectNode same = JSON.objectNode();
        ObjectNode distinct = JSON.objectNode();
        ObjectNode one = JSON.objectNode();
        for (int i = 0; i < 3_000; i++) {
            same.withArrayProperty("anyOf").addObject().put("type", "string");
            ObjectNode branch = distinct.withArrayProperty("anyOf").addObject().put("type", "object");
            branch.putObject("properties").putObject("a" + i).put("type", "string");
            one.withArrayProperty("oneOf").addObject().put("const", i);
        }
        write(Answers.FULL_GRAMMARS.schema(same, false, "schema"), 40);
        write(Answers.FULL_GRAMMARS.schema(distinct, false, "schema"), 40);
        assertRefused(one);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                // Each level of nesting could be of either branch.
                "{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}},{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"minItems\":1},{\"type\":\"null\"}]}",
                // References in circles that say nothing.
                "{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#/$defs/a\"},{\"type\":\"integer\"}],\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}}}",
                "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{},\"maxItems\":100000},\"maxItems\":2147483647}",
                "{\"type\":\"string\",\"minLength\":1000,\"maxLength\":2147483647}",
                "{\"type\":\"string\",\"pattern\":\"^\\\\S+ \\\\S+$\",\"maxLength\":100000}",
                "{\"type\":\"number\",\"minimum\":1e300}",
                "{\"type\":\"number\",\"minimum\":1e-12,\"maximum\":1.1e-12}",
                "{\"type\":\"integer\",\"multipleOf\":999999999989}",
                "{\"type\":\"number\",\"multipleOf\":0.000001,\"minimum\":-1e15,\"maximum\":1e15}"
            })
    void schema_ambiguousOrLarge_isFollowed(String schema) {
        TokenGrammar grammar = Answers.FULL_GRAMMARS.schema(Validation.parse(schema), false, "schema");
        Validation validation = schema.contains("{\"$ref\":\"#\"},{") ? null : new Validation(Validation.parse(schema));
        for (Taste taste : List.of(Taste.NOTHING, Taste.OPENING, Taste.DIGITS)) {
            String text = Answers.write(grammar, true, taste, grammar.leastTokens() + 60, new Random(3));
            if (validation != null) {
                validation.check(text, taste.name());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"minItems\":1000000,\"items\":{}},\"minItems\":1000000}",
                "{\"type\":\"string\",\"minLength\":1000000000}",
                "{\"type\":\"string\",\"pattern\":\"(.*a.{500}){50}\",\"minLength\":5000}"
            })
    void schema_hopeless_isRefused(String schema) {
        assertRefused(Validation.parse(schema));
    }
}
