package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SpecVersion.VersionFlag;
import io.idefics.testing.OpenApiContract;
import io.idefics.testing.OpenApiContract.Exchange;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The description of the interface is well-formed, and its examples are examples of it. */
class OpenApiContractTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final OpenApiContract CONTRACT = OpenApiContract.published();
    private static final JsonSchemaFactory SCHEMAS = JsonSchemaFactory.getInstance(VersionFlag.V202012);

    @Test
    void document_isOpenApi31() throws IOException {
        try (InputStream schema = OpenApiContractTest.class.getResourceAsStream("/openapi/schema-3.1.json")) {
            JsonSchema openApi = SCHEMAS.getSchema(Objects.requireNonNull(schema));

            assertThat(openApi.validate(CONTRACT.document())).isEmpty();
            assertThat(openApi.validate(
                            JSON.readTree("{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"a\"},\"paths\":{}}")))
                    .isNotEmpty();
        }
    }

    @Test
    void document_schemas_areJsonSchemas() {
        JsonSchema metaSchema = SCHEMAS.getSchema(SchemaLocation.of("https://json-schema.org/draft/2020-12/schema"));
        JsonNode components = CONTRACT.document().at("/components/schemas");

        assertThat(components).isNotEmpty();
        components.properties().forEach(schema -> assertThat(metaSchema.validate(schema.getValue()))
                .as(schema.getKey())
                .isEmpty());
        assertThat(metaSchema.validate(JSON.createObjectNode().put("minimum", "1")))
                .isNotEmpty();
    }

    @Test
    void document_examples_areValid() {
        List<String> places = new ArrayList<>();
        collectContents(CONTRACT.document(), "", places);
        List<String> violations = new ArrayList<>();
        int examples = 0;
        for (String place : places) {
            String contentType = place.substring(place.lastIndexOf('/') + 1).replace("~1", "/");
            JsonNode content = CONTRACT.document().at(place);
            assertThat(content.get("examples")).as(place).isNotEmpty();
            for (Map.Entry<String, JsonNode> example : content.get("examples").properties()) {
                JsonNode value = example.getValue().get("value");
                for (JsonNode part : parts(contentType, value)) {
                    violations.addAll(CONTRACT.violations(place + " " + example.getKey(), place + "/schema", part));
                }
                examples++;
            }
        }

        assertThat(violations).isEmpty();
        assertThat(examples).isGreaterThan(30);
    }

    @Test
    void document_answers_haveNoOtherFieldsThanThoseListed() {
        Set<String> open = new TreeSet<>();
        Set<String> seen = new TreeSet<>();
        List<String> places = new ArrayList<>();
        collectContents(CONTRACT.document(), "", places);
        places.stream()
                .filter(place -> place.contains("/responses/"))
                .forEach(place -> collectOpenObjects(place + "/schema", open, seen));

        assertThat(open).isEmpty();
        assertThat(seen).contains("/components/schemas/Usage").doesNotContain("/components/schemas/Message");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "POST|/detokenize|{\"tokens\":[1]}|200|application/json|{\"prompt\":\"a\"}|",
                "POST|/detokenize|{\"tokens\":[1]}|200|application/json|{\"prompt\":1}"
                        + "|POST /detokenize 200, answer: $.prompt: integer found, string expected",
                "POST|/detokenize|{\"tokens\":[1]}|200|application/json|{\"prompt\":\"a\",\"count\":1}"
                        + "|POST /detokenize 200, answer: $: property 'count' is not defined in the schema and the schema"
                        + " does not allow additional properties",
                "POST|/detokenize|{\"tokens\":[1]}|200|application/json|a|POST /detokenize 200, answer: is not JSON: a",
                "POST|/detokenize|{\"tokens\":[\"a\"]}|200|application/json|{\"prompt\":\"a\"}"
                        + "|POST /detokenize 200, request: $.tokens[0]: string found, integer expected",
                "POST|/detokenize|{\"tokens\":7}|400|application/json|{\"error\":{\"message\":\"a\"}}"
                        + "|POST /detokenize 400, answer: $.error: required property 'type' not found",
                "POST|/detokenize|{}|418|application/json|{}|POST /detokenize 418: the status is not described",
                "POST|/detokenize|{\"tokens\":[]}|200|text/plain|a"
                        + "|POST /detokenize 200: the content type text/plain is not described",
                "GET|/v1/models/a/b||200|application/json|[]"
                        + "|GET /v1/models/a/b 200, answer: $: array found, object expected",
                "GET|/elsewhere||200|application/json|[]|"
            })
    void violations_anything_areTold(
            String method, String path, String body, int status, String type, String answer, String violation) {
        List<String> violations = CONTRACT.violations(
                new Exchange(method, path, Objects.requireNonNullElse(body, ""), status, type, answer));

        if (violation == null) {
            assertThat(violations).isEmpty();
        } else {
            assertThat(violations).contains(violation);
        }
    }

    @Test
    void violations_ofAStream_areThoseOfItsEvents() {
        String stream = "data: {\"object\":\"chat.completion.chunk\"}\n\n: a comment\n\ndata: [DONE]\n\ndata: {cut";

        assertThat(CONTRACT.violations(new Exchange(
                        "POST",
                        "/v1/chat/completions",
                        "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                        200,
                        "text/event-stream",
                        stream)))
                .contains("POST /v1/chat/completions 200, answer: $: required property 'id' not found");
    }

    private static List<JsonNode> parts(String contentType, JsonNode value) {
        if (contentType.equals("application/json")) {
            return List.of(value);
        }
        return OpenApiContract.parts(contentType, value.asText()).stream()
                .map(part -> {
                    try {
                        return JSON.readTree(part);
                    } catch (IOException e) {
                        throw new AssertionError(part, e);
                    }
                })
                .toList();
    }

    /** The places of all media types. */
    private static void collectContents(JsonNode node, String place, List<String> places) {
        node.properties().forEach(field -> {
            String name = field.getKey().replace("~", "~0").replace("/", "~1");
            boolean isContent = place.endsWith("/content") && field.getValue().has("schema");
            if (isContent) {
                places.add(place + "/" + name);
            } else if (!name.equals("schemas") && !name.equals("examples")) {
                collectContents(field.getValue(), place + "/" + name, places);
            }
        });
    }

    /** The objects of a schema, and of those that it refers to, that may have fields which are not listed. */
    private static void collectOpenObjects(String place, Set<String> open, Set<String> seen) {
        JsonNode schema = CONTRACT.document().at(place);
        if (!seen.add(place)) {
            return;
        }
        if (schema.has("properties") && !schema.has("additionalProperties")) {
            open.add(place);
        }
        if (schema.has("$ref")) {
            collectOpenObjects(schema.get("$ref").asText().substring(1), open, seen);
        }
        for (Map.Entry<String, JsonNode> field : schema.properties()) {
            if (!field.getKey().equals("examples") && field.getValue().isContainerNode()) {
                collectOpenObjects(place + "/" + field.getKey(), open, seen);
            }
        }
        for (int i = 0; schema.isArray() && i < schema.size(); i++) {
            collectOpenObjects(place + "/" + i, open, seen);
        }
    }
}
