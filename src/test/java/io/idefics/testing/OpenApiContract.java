package io.idefics.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.PathType;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SchemaValidatorsConfig;
import com.networknt.schema.SpecVersion.VersionFlag;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The description of the interface, and whether what goes over the wire keeps to it. */
public final class OpenApiContract {

    private static final String IRI = "https://idefics.test/openapi.json";
    private static final String JSON_TYPE = "application/json";
    private static final String DONE = "[DONE]";
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final SchemaValidatorsConfig CONFIG = SchemaValidatorsConfig.builder()
            .locale(Locale.ENGLISH)
            .pathType(PathType.JSON_PATH)
            .build();

    private final JsonNode document;
    private final JsonSchemaFactory schemas;
    private final Map<String, JsonSchema> known = new ConcurrentHashMap<>();

    /**
     * One request with its answer.
     *
     * @param path the path of the request, as it was sent
     * @param requestBody the body as text, empty where there is none
     * @param contentType that of the answer, without parameters
     */
    public record Exchange(
            String method, String path, String requestBody, int status, String contentType, String answer) {

        @Override
        public String toString() {
            return method + " " + path + " " + status;
        }
    }

    public OpenApiContract(JsonNode document) {
        this.document = document;
        this.schemas = JsonSchemaFactory.getInstance(
                VersionFlag.V202012,
                builder -> builder.schemaLoaders(loaders -> loaders.schemas(Map.of(IRI, document.toString()))));
    }

    /** The description that the server publishes. */
    public static OpenApiContract published() {
        try (InputStream yaml = OpenApiContract.class.getResourceAsStream("/openapi.yaml")) {
            return new OpenApiContract(new YAMLMapper().readTree(Objects.requireNonNull(yaml)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public JsonNode document() {
        return document;
    }

    /**
     * What is not as the description says: of the answer always, of the request only where it was accepted. Nothing is
     * said of paths and methods that are not described.
     */
    public List<String> violations(Exchange exchange) {
        Optional<String> found = operation(exchange);
        if (found.isEmpty()) {
            return List.of();
        }
        String operation = found.get();
        List<String> violations = new ArrayList<>();
        if (exchange.status() / 100 == 2) {
            String body = operation + "/requestBody/content/" + escaped(JSON_TYPE) + "/schema";
            if (!document.at(body).isMissingNode()) {
                violations.addAll(violations(exchange + ", request", body, exchange.requestBody()));
            }
        }
        violations.addAll(answerViolations(exchange, operation));
        return violations;
    }

    /** What a value of the description, such as an example, has that the schema beside it does not allow. */
    public List<String> violations(String what, String schemaPointer, JsonNode value) {
        return schema(schemaPointer).validate(value).stream()
                .map(message -> what + ": " + message.getMessage())
                .toList();
    }

    /** The parts of an answer that the schema of its content type describes, each by itself. */
    public static List<String> parts(String contentType, String answer) {
        return switch (contentType) {
            case JSON_TYPE -> List.of(answer);
            case "application/x-ndjson" ->
                answer.lines().filter(line -> !line.isBlank()).toList();
            case "text/event-stream" -> events(answer);
            default -> List.of();
        };
    }

    private List<String> answerViolations(Exchange exchange, String operation) {
        String response = operation + "/responses/" + exchange.status();
        if (document.at(response).isMissingNode()) {
            return List.of(exchange + ": the status is not described");
        }
        String reference = document.at(response).path("$ref").asText();
        String described = reference.isEmpty() ? response : reference.substring(1);
        if (exchange.answer().isEmpty()) {
            return List.of();
        }
        String schema = described + "/content/" + escaped(exchange.contentType()) + "/schema";
        if (document.at(schema).isMissingNode()) {
            return List.of(exchange + ": the content type " + exchange.contentType() + " is not described");
        }
        return parts(exchange.contentType(), exchange.answer()).stream()
                .flatMap(part -> violations(exchange + ", answer", schema, part).stream())
                .toList();
    }

    private List<String> violations(String what, String schemaPointer, String json) {
        try {
            return violations(what, schemaPointer, JSON.readTree(json));
        } catch (JsonProcessingException e) {
            return List.of(what + ": is not JSON: " + json);
        }
    }

    private JsonSchema schema(String pointer) {
        return known.computeIfAbsent(pointer, place -> schemas.getSchema(SchemaLocation.of(IRI + "#" + place), CONFIG));
    }

    /** The place of the operation; a path without parameters goes before one with them. */
    private Optional<String> operation(Exchange exchange) {
        String method = exchange.method().toLowerCase(Locale.ROOT);
        JsonNode paths = document.get("paths");
        Stream<String> names = paths.properties().stream().map(Map.Entry::getKey);
        return names.filter(name -> paths.get(name).has(method))
                .filter(name -> pattern(name).matcher(exchange.path()).matches())
                .min((a, b) -> Boolean.compare(a.contains("{"), b.contains("{")))
                .map(name -> "/paths/" + escaped(name) + "/" + method);
    }

    private static Pattern pattern(String path) {
        return Pattern.compile(Arrays.stream(path.split("(?=\\{)|(?<=\\})"))
                .map(piece -> piece.startsWith("{") ? ".+" : Pattern.quote(piece))
                .collect(Collectors.joining()));
    }

    /** The data of all complete events but the last one of OpenAI's streams. */
    private static List<String> events(String stream) {
        String complete = stream.substring(0, Math.max(0, stream.lastIndexOf("\n\n") + 1));
        return Arrays.stream(complete.split("\n\n"))
                .map(event -> event.lines()
                        .filter(line -> line.startsWith("data:"))
                        .map(line -> line.substring("data:".length()).strip())
                        .collect(Collectors.joining("\n")))
                .filter(data -> !data.isEmpty() && !data.equals(DONE))
                .toList();
    }

    private static String escaped(String name) {
        return name.replace("~", "~0").replace("/", "~1");
    }
}
