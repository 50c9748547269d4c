package io.idefics.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/** A hostile or odd request and what a service should make of it. */
public record ApiCase(JsonNode node) {

    private static final Path FILE = Path.of("src/test/resources/security/api-cases.json");

    /** Writes objects as clients do that know nothing but ASCII. */
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    public static List<ApiCase> all() {
        try {
            List<ApiCase> cases = new ArrayList<>();
            JSON.readTree(FILE.toFile()).get("cases").forEach(node -> cases.add(new ApiCase(node)));
            return cases;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public String id() {
        return node.get("id").asText();
    }

    public String area() {
        return node.get("area").asText();
    }

    /** The statuses that are right; empty where the status says nothing. */
    public Set<Integer> statuses() {
        Set<Integer> statuses = new TreeSet<>();
        node.at("/expect/status").forEach(status -> statuses.add(status.asInt()));
        return statuses;
    }

    /** The fields of the error object that must have a certain value. */
    public Map<String, String> errorFields() {
        Map<String, String> fields = new TreeMap<>();
        node.at("/expect/shape/error").fields().forEachRemaining(field -> {
            if (!field.getValue().asText().startsWith("<")) {
                fields.put(field.getKey(), field.getValue().asText());
            }
        });
        return fields;
    }

    /** Whether a refusal has an error object. */
    public boolean hasErrorObject() {
        return node.at("/expect/shape").isObject();
    }

    /** The longest time that the answer may take, in milliseconds. */
    public OptionalLong maxMillis() {
        return node.has("max_ms") ? OptionalLong.of(node.get("max_ms").asLong()) : OptionalLong.empty();
    }

    /** The request as bytes. */
    public byte[] request(UnaryOperator<String> placeholders) {
        if (node.has("raw_b64")) {
            return latin(placeholders.apply(
                    new String(Base64.getDecoder().decode(node.get("raw_b64").asText()), StandardCharsets.ISO_8859_1)));
        }
        return request(placeholders, body(placeholders), "");
    }

    /** The request with another body and further header lines. */
    public byte[] request(UnaryOperator<String> placeholders, byte[] body, String furtherHeaders) {
        String method = node.get("method").asText();
        StringBuilder fields = new StringBuilder();
        String[] host = {"127.0.0.1"};
        node.get("headers").fields().forEachRemaining(field -> {
            String value = placeholders.apply(field.getValue().asText());
            if (field.getKey().equalsIgnoreCase("host")) {
                host[0] = value;
            } else {
                fields.append(field.getKey()).append(": ").append(value).append("\r\n");
            }
        });
        String path = placeholders.apply(node.get("path").asText()).replace(" ", "%20");
        boolean hasBody = body.length > 0 || method.equals("POST") || method.equals("PUT");
        String head = method + " " + path + " HTTP/1.1\r\nHost: " + host[0] + "\r\nConnection: close\r\n" + fields
                + furtherHeaders + (hasBody ? "Content-Length: " + body.length + "\r\n" : "") + "\r\n";
        ByteArrayOutputStream request = new ByteArrayOutputStream();
        request.writeBytes(head.getBytes(StandardCharsets.UTF_8));
        request.writeBytes(body);
        return request.toByteArray();
    }

    private byte[] body(UnaryOperator<String> placeholders) {
        JsonNode body = node.path("body");
        if (body.isMissingNode() || body.isNull()) {
            return new byte[0];
        }
        if (body.isTextual()) {
            return utf8(placeholders.apply(body.textValue()));
        }
        if (body.has("template")) {
            return utf8(template(body, placeholders));
        }
        if (body.has("base64")) {
            byte[] bytes = Base64.getDecoder().decode(body.get("base64").asText());
            return latin(placeholders.apply(new String(bytes, StandardCharsets.ISO_8859_1)));
        }
        for (Map.Entry<String, Charset> encoding : Map.of(
                        "utf16", StandardCharsets.UTF_16, "utf32", Charset.forName("UTF-32LE"))
                .entrySet()) {
            if (body.has(encoding.getKey())) {
                return text(body.get(encoding.getKey()), placeholders).getBytes(encoding.getValue());
            }
        }
        return utf8(body.has("bom") ? "\ufeff" + text(body.get("bom"), placeholders) : text(body, placeholders));
    }

    private static String text(JsonNode body, UnaryOperator<String> placeholders) {
        try {
            return placeholders.apply(JSON.writeValueAsString(body));
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String template(JsonNode body, UnaryOperator<String> placeholders) {
        String[] text = {placeholders.apply(body.get("template").asText())};
        body.get("gen").fields().forEachRemaining(field -> {
            JsonNode wanted = field.getValue();
            int times = wanted.get("times").asInt();
            StringBuilder filling = new StringBuilder();
            if (wanted.has("repeat")) {
                filling.append(placeholders.apply(wanted.get("repeat").asText()).repeat(times));
            } else if (wanted.get("sequence").asText().startsWith("collide")) {
                collisions(times)
                        .forEach(name -> filling.append(",\"").append(name).append("\":1"));
            } else {
                String form = wanted.get("sequence").asText();
                for (int i = 0; i < times; i++) {
                    filling.append(form.replace("%d", Integer.toString(i)));
                }
            }
            text[0] = text[0].replace("{{" + field.getKey() + "}}", filling);
        });
        return text[0];
    }

    /** Names that all have the same hash code. */
    private static List<String> collisions(int count) {
        List<String> names = List.of("");
        while (names.size() < count) {
            names = names.stream()
                    .flatMap(name -> List.of(name + "Aa", name + "BB").stream())
                    .toList();
        }
        return names.subList(0, count);
    }

    /** UTF-8 in which half a surrogate pair is what it would be if it were a character. */
    private static byte[] utf8(String text) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(text.length());
        if (text.codePoints().noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
            return text.getBytes(StandardCharsets.UTF_8);
        }
        text.codePoints().forEach(c -> {
            if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
                bytes.write(0xe0 | c >> 12);
                bytes.write(0x80 | c >> 6 & 0x3f);
                bytes.write(0x80 | c & 0x3f);
            } else {
                bytes.writeBytes(Character.toString(c).getBytes(StandardCharsets.UTF_8));
            }
        });
        return bytes.toByteArray();
    }

    private static byte[] latin(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** A small picture that belongs to the cases. */
    public static byte[] picture(String name) {
        try {
            return Files.readAllBytes(FILE.resolveSibling("images").resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public String toString() {
        return id() + " " + node.get("name").asText();
    }
}
