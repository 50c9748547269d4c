package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.grammar.Answers.Taste;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Which answers a schema lets through. */
class SchemaTest {

    /** A schema, answers that it lets through, and answers that it does not. */
    private record Example(String name, String schema, List<String> good, List<String> bad) {}

    private static Example example(String name, String schema, List<String> good, List<String> bad) {
        return new Example(name, schema, good, bad);
    }

    private static final List<Example> EXAMPLES = List.of(
            example(
                    "object",
                    """
                    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
                     "required": ["a", "b"], "additionalProperties": false}""",
                    List.of("{\"a\": \"x\", \"b\": 1}", "{\"a\":\"\",\"b\":-12}", "{\"a\":\"\\u00e9\\n\",\"b\":0}"),
                    List.of(
                            "{\"b\":1,\"a\":\"x\"}",
                            "{\"a\":\"x\"}",
                            "{}",
                            "{\"a\":1,\"b\":1}",
                            "{\"a\":\"\",\"b\":1.5}",
                            "{\"a\":\"\",\"b\":01}",
                            "{\"a\":\"\",\"b\":1,\"c\":1}",
                            "{\"a\":\"\",  \"b\":1}")),
            example(
                    "optional properties",
                    """
                    {"properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "required": ["b"]}""",
                    List.of("{\"b\":2}", "{\"a\":1,\"b\":2}", "{\"b\":2,\"c\":3}", "{\"a\": 1, \"b\": 2, \"c\": 3}"),
                    List.of("{}", "{\"a\":1}", "{\"a\":1,\"c\":3}", "{,\"b\":2}", "{\"b\":2,}")),
            example(
                    "additional properties",
                    """
                    {"type": "object", "properties": {"ab": {"type": "null"}, "na\u00EFve": {}},
                     "additionalProperties": {"type": "boolean"}}""",
                    List.of(
                            "{}",
                            "{\"x\":true}",
                            "{\"ab\":null}",
                            "{\"ab\":null,\"y\":false,\"\":true}",
                            "{\"abc\":true,\"a\":false}",
                            "{\"na\":true}",
                            "{\"\u00E9\":true}"),
                    List.of(
                            "{\"ab\":true}",
                            "{\"x\":1}",
                            "{\"x\":true,\"ab\":null}",
                            "{\"na\u00EFve\":1,\"ab\":true}",
                            "{\"a\\u0062\":true}")),
            example(
                    "any object",
                    "{\"type\": \"object\"}",
                    List.of("{}", "{\"a\":{\"b\":[1,{}]}}"),
                    List.of("[]", "1")),
            example("anything", "true", List.of("1", "null", "[1,\"\"]", "{\"a\":1.5e3}", "\"x\""), List.of("", "nul")),
            example("anything in an empty schema", "{}", List.of("-0.5", "[[]]"), List.of("01", "-")),
            example(
                    "required but not declared",
                    "{\"required\": [\"x\"], \"additionalProperties\": {\"type\": \"number\"}}",
                    List.of("{\"x\":1.5}", "{\"x\":1,\"y\":2}"),
                    List.of("{}", "{\"y\":1}", "{\"x\":null}")),
            example(
                    "arrays",
                    "{\"type\": \"array\", \"items\": {\"type\": \"integer\"}, \"minItems\": 2, \"maxItems\": 3}",
                    List.of("[1,2]", "[1, 2, 3]"),
                    List.of("[]", "[1]", "[1,2,3,4]", "[1,2.5]", "[1,]", "[,1,2]")),
            example(
                    "prefixes",
                    """
                    {"prefixItems": [{"type": "string"}, {"type": "null"}], "items": {"type": "boolean"}, "minItems": 1}""",
                    List.of("[\"a\"]", "[\"a\",null]", "[\"a\",null,true,false]"),
                    List.of("[]", "[null]", "[\"a\",true]")),
            example(
                    "prefix alone",
                    "{\"type\": \"array\", \"prefixItems\": [{\"type\": \"null\"}], \"items\": false}",
                    List.of("[]", "[null]"),
                    List.of("[null,null]")),
            example(
                    "type lists",
                    "{\"type\": [\"string\", \"null\", \"integer\"], \"maxLength\": 2, \"minimum\": 5}",
                    List.of("null", "\"ab\"", "5"),
                    List.of("\"abc\"", "4", "5.5", "true")),
            example(
                    "enum",
                    "{\"enum\": [\"a\", 1, null, {\"b\": [1, 2.5]}, true, \"a\\\"\u00E9\"]}",
                    List.of("\"a\"", "1", "null", "{\"b\": [1, 2.5]}", "{\"b\":[1,2.5]}", "true", "\"a\\\"\u00E9\""),
                    List.of("\"b\"", "2", "{\"b\":[]}", "false")),
            example(
                    "enum with other keywords",
                    "{\"enum\": [\"a\", \"abc\", 1, 7], \"type\": [\"string\", \"integer\"], \"minLength\": 2, \"minimum\": 3}",
                    List.of("\"abc\"", "7"),
                    List.of("\"a\"", "1")),
            example("const", "{\"const\": {\"x\": []}}", List.of("{\"x\":[]}", "{\"x\": []}"), List.of("{}")),
            example(
                    "anyOf",
                    "{\"anyOf\": [{\"type\": \"integer\", \"maximum\": 5}, {\"type\": \"string\"}, false], \"title\": \"t\"}",
                    List.of("5", "\"x\""),
                    List.of("6", "null")),
            example(
                    "anyOf with types beside it",
                    "{\"type\": \"integer\", \"anyOf\": [{\"minimum\": 10}, {\"multipleOf\": 7, \"maximum\": 8}, {\"type\": \"string\"}]}",
                    List.of("10", "7", "0"),
                    List.of("8", "\"x\"", "10.5")),
            example(
                    "oneOf told apart",
                    """
                    {"oneOf": [
                      {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}},
                       "required": ["kind", "x"], "additionalProperties": false},
                      {"type": "object", "properties": {"kind": {"enum": ["b", "c"]}}, "required": ["kind"],
                       "additionalProperties": false},
                      {"type": "string", "minLength": 3}, {"enum": ["a", 1]}]}""",
                    List.of("{\"kind\":\"a\",\"x\":1}", "{\"kind\":\"b\"}", "1", "\"a\"", "\"abc\""),
                    List.of("{\"kind\":\"a\"}", "{\"kind\":\"d\"}", "\"ab\"")),
            example(
                    "references and recursion",
                    """
                    {"type": "object", "properties": {"value": {"$ref": "#/definitions/v~0~1"}, "next": {
                       "anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["value", "next"],
                     "additionalProperties": false, "definitions": {"v~/": {"type": "integer"}}}""",
                    List.of("{\"value\":1,\"next\":null}", "{\"value\":1,\"next\":{\"value\":2,\"next\":null}}"),
                    List.of("{\"value\":1}", "{\"value\":1,\"next\":{}}", "{\"value\":\"\",\"next\":null}")),
            example(
                    "reference with annotations",
                    "{\"$ref\": \"#/$defs/a%20b\", \"description\": \"d\", \"$defs\": {\"a b\": {\"type\": \"null\"}}}",
                    List.of("null"),
                    List.of("1")),
            example(
                    "allOf of one",
                    "{\"allOf\": [{\"$ref\": \"#/$defs/a\"}], \"default\": 1, \"$defs\": {\"a\": {\"type\": \"integer\"}}}",
                    List.of("1"),
                    List.of("\"\"")),
            example(
                    "lengths in code points",
                    "{\"type\": \"string\", \"minLength\": 2, \"maxLength\": 3}",
                    List.of(
                            "\"ab\"",
                            "\"\uD83D\uDE00\uD83D\uDE00\uD83D\uDE00\"",
                            "\"\\ud83d\\ude00\\n\"",
                            "\"\\u0041bc\""),
                    List.of("\"a\"", "\"abcd\"", "\"\uD83D\uDE00\"", "\"\\ud83d\\ude00\"", "\"\\ud83dab\"")),
            example(
                    "patterns are searched for",
                    "{\"type\": \"string\", \"pattern\": \"a[0-9]\"}",
                    List.of("\"a1\"", "\"xxa1\\\"\"", "\"a\\na5\u00E9\""),
                    List.of("\"a\"", "\"\"")),
            example(
                    "patterns with escapes",
                    "{\"pattern\": \"^[\\\"\\\\\\\\\\\\n\\\\x01]+$\"}",
                    List.of("\"\\\"\\\\\\n\\u0001\""),
                    List.of("\"\"", "\"a\"", "\"\\t\"")),
            example(
                    "pattern with length",
                    "{\"type\": \"string\", \"pattern\": \"^[a-z]+$\", \"minLength\": 2, \"maxLength\": 4}",
                    List.of("\"ab\"", "\"abcd\""),
                    List.of("\"a\"", "\"abcde\"", "\"aB\"")),
            example(
                    "pattern with format",
                    "{\"type\": \"string\", \"format\": \"date\", \"pattern\": \"-01$\"}",
                    List.of("\"2024-03-01\""),
                    List.of("\"2024-03-02\"")),
            example(
                    "dates",
                    "{\"type\": \"string\", \"format\": \"date\"}",
                    List.of("\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\""),
                    List.of("\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"2024-13-01\"", "\"2024-1-1\"")),
            example(
                    "dates with times",
                    "{\"type\": \"string\", \"format\": \"date-time\"}",
                    List.of("\"2024-02-29T23:59:59Z\"", "\"2024-01-01T00:00:00.123+02:00\""),
                    List.of("\"2024-02-29\"", "\"2024-02-29T24:00:00Z\"", "\"2024-02-29T10:00:00\"")),
            example("times", "{\"format\": \"time\"}", List.of("\"10:20:30-05:30\""), List.of("\"10:20\"")),
            example(
                    "durations",
                    "{\"format\": \"duration\"}",
                    List.of("\"P1Y2M3DT4H5M6S\"", "\"PT0S\"", "\"P3W\""),
                    List.of("\"P\"", "\"PT\"", "\"1D\"", "\"P1Y3D\"")),
            example(
                    "emails",
                    "{\"format\": \"email\"}",
                    List.of("\"jo.doe+x@mail.example.com\""),
                    List.of("\"jo\"", "\"@x.de\"", "\"a@b\"", "\"a..b@c.de\"")),
            example(
                    "hosts",
                    "{\"format\": \"hostname\"}",
                    List.of("\"www.example-site.com\"", "\"localhost\""),
                    List.of("\"-a.b\"", "\"a..b\"", "\"a-\"")),
            example(
                    "addresses",
                    "{\"anyOf\": [{\"type\": \"string\", \"format\": \"ipv4\"}, {\"type\": \"string\", \"format\": \"ipv6\"}]}",
                    List.of(
                            "\"192.168.0.255\"",
                            "\"::1\"",
                            "\"2001:db8::ff00:42:8329\"",
                            "\"1:2:3:4:5:6:7:8\"",
                            "\"::\""),
                    List.of("\"256.1.1.1\"", "\"1.2.3\"", "\"01.2.3.4\"", "\"1::2::3\"", "\"1:2:3:4:5:6:7\"")),
            example(
                    "uuids",
                    "{\"format\": \"uuid\"}",
                    List.of("\"123e4567-e89b-12d3-a456-426614174000\""),
                    List.of("\"123e4567\"")),
            example(
                    "integers within bounds",
                    "{\"type\": \"integer\", \"minimum\": -5, \"exclusiveMaximum\": 120, \"multipleOf\": 5}",
                    List.of("-5", "0", "115"),
                    List.of("-10", "120", "3", "-0", "5.0")),
            example(
                    "numbers within bounds",
                    "{\"type\": \"number\", \"exclusiveMinimum\": 0, \"maximum\": 1.5}",
                    List.of("0.5", "1.5", "1", "1.500", "0.001"),
                    List.of("0", "1.51", "-1", "2", "0.0", "1e0")),
            example(
                    "names with signs",
                    "{\"properties\": {\"a\\\"b\\\\c\\n/~\": {\"const\": 1}}, \"required\": [\"a\\\"b\\\\c\\n/~\"]}",
                    List.of("{\"a\\\"b\\\\c\\n/~\":1}"),
                    List.of("{}")),
            example(
                    "uniqueItems false",
                    "{\"type\": \"null\", \"uniqueItems\": false, \"x-own\": 1}",
                    List.of("null"),
                    List.of("1")));

    @TestFactory
    Stream<DynamicTest> schema_answers_letsThroughThoseThatValidate() {
        return EXAMPLES.stream()
                .map(example -> DynamicTest.dynamicTest(example.name(), () -> {
                    var schema = Validation.parse(example.schema());
                    Validation validation = new Validation(schema);
                    TokenGrammar grammar = Answers.FULL_GRAMMARS.schema(schema, false, "schema");
                    for (String text : example.good()) {
                        assertThat(Answers.accepts(grammar, true, text))
                                .as(text)
                                .isTrue();
                        validation.check(text, "good");
                    }
                    for (String text : example.bad()) {
                        assertThat(Answers.accepts(grammar, true, text))
                                .as(text)
                                .isFalse();
                    }
                    for (Taste taste : Answers.tastes()) {
                        int budget = grammar.leastTokens() + taste.ordinal() * 5;
                        validation.check(Answers.write(grammar, true, taste, budget, new Random(budget)), taste.name());
                    }
                }));
    }

    @Test
    void strict_schemaWithinTheRules_isLetThrough() {
        String schema =
                """
                {"type": "object", "properties": {"a": {"type": ["string", "null"]}, "b": {"$ref": "#/$defs/c"}},
                 "required": ["a", "b"], "additionalProperties": false,
                 "$defs": {"c": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}}""";
        TokenGrammar grammar = Answers.FULL_GRAMMARS.schema(Validation.parse(schema), true, "schema");
        assertThat(Answers.accepts(grammar, true, "{\"a\": null, \"b\": {}}")).isTrue();
    }

    @Test
    void deepRecursion_neverEndingTaste_isEnded() {
        String schema = "{\"type\": \"array\", \"items\": {\"$ref\": \"#\"}, \"minItems\": 0}";
        TokenGrammar grammar = Answers.FULL_GRAMMARS.schema(Validation.parse(schema), false, "schema");
        Validation validation = new Validation(Validation.parse(schema));
        for (int seed = 0; seed < 5; seed++) {
            String text = Answers.write(grammar, true, Taste.OPENING, 900, new Random(seed));
            validation.check(text, "seed " + seed);
            int depth = 0;
            int deepest = 0;
            for (char c : text.toCharArray()) {
                depth += c == '[' ? 1 : c == ']' ? -1 : 0;
                deepest = Math.max(deepest, depth);
            }
            assertThat(deepest).isBetween(5, Expansion.MAX_DEPTH + 2);
        }
    }
}
