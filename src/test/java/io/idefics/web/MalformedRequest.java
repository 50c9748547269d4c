package io.idefics.web;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Named;

/**
 * A row of a table of requests that clients get wrong.
 *
 * <p>A row has a {@code name}, a {@code body} (a string as it is sent, else JSON) and what the answer must be. Where it
 * has a {@code fill}, {@code FILL} in its body stands for so many letters, or of what it has {@code with}; where it has no
 * {@code path}, that of the table holds.
 *
 * @param path where the body is sent to
 * @param body the body as it is sent
 * @param expected what the answer must be
 */
public record MalformedRequest(String path, String body, JsonNode expected) {

    /** All rows of a table. */
    public static Stream<Named<MalformedRequest>> table(String resource, String path) {
        JsonNode table = WebServerTest.json(WebServerTest.resource(resource));
        return StreamSupport.stream(table.spliterator(), false)
                .map(row -> Named.of(row.get("name").asText(), of(row, path)));
    }

    private static MalformedRequest of(JsonNode row, String path) {
        JsonNode body = row.get("body");
        String text = body.isTextual() ? body.textValue() : body.toString();
        String filled = row.has("fill")
                ? text.replace(
                        "FILL",
                        row.path("with").asText("a").repeat(row.get("fill").intValue()))
                : text;
        return new MalformedRequest(row.path("path").asText(path), filled, row);
    }

    /** The status that the answer must have. */
    public int status() {
        return expected.get("status").intValue();
    }

    /** Short, as test reports show it. */
    @Override
    public String toString() {
        return expected.get("name").asText();
    }
}
