package io.idefics.web;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A value of a request body and the path to it, read without any coercion: every mismatch is a
 * {@link GenerationException} of type {@link ErrorType#INVALID_VALUE} that names the path, the value and the limit.
 *
 * @param node the value; missing where the field is absent
 * @param path the path, as in {@code messages[0].content}; empty for the body itself
 */
public record JsonField(JsonNode node, String path) {

    private static final int SHOWN_CHARS = 64;

    /** Characters that steer a terminal, end a line, change the direction of text or are no characters alone. */
    private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}]");

    /** The body itself. */
    public static JsonField root(JsonNode node) {
        return new JsonField(node, "");
    }

    /** A field of this object. */
    public JsonField get(String name) {
        JsonNode child = node.get(name);
        return new JsonField(
                child == null ? MissingNode.getInstance() : child, path.isEmpty() ? name : path + "." + name);
    }

    /** Whether there is a value: an explicit null counts as absent. */
    public boolean isPresent() {
        return !node.isMissingNode() && !node.isNull();
    }

    public boolean isString() {
        return node.isTextual();
    }

    public boolean isArray() {
        return node.isArray();
    }

    public boolean isObject() {
        return node.isObject();
    }

    public JsonField requireObject() {
        return require(node.isObject(), "an object");
    }

    public String string() {
        require(node.isTextual(), "a string");
        return node.textValue();
    }

    public boolean bool() {
        require(node.isBoolean(), "true or false");
        return node.booleanValue();
    }

    /** A number within bounds, both included. */
    public double number(double min, double max) {
        require(node.isNumber(), "a number");
        double value = node.doubleValue();
        if (!(value >= min && value <= max)) {
            throw invalid(path + " is " + shown() + " but must lie between " + plain(min) + " and " + plain(max) + ".");
        }
        return value;
    }

    /** A whole number within bounds, both included; 1.0 is not whole. */
    public long integer(long min, long max) {
        require(node.isIntegralNumber(), "a whole number");
        if (!node.canConvertToLong() || node.longValue() < min || node.longValue() > max) {
            throw invalid(path + " is " + shown() + " but must lie between " + min + " and " + max + ".");
        }
        return node.longValue();
    }

    /** The elements of this array. */
    public List<JsonField> elements(int min, int max) {
        require(node.isArray(), "an array");
        if (node.size() < min || node.size() > max) {
            throw invalid(path + " has " + node.size() + " elements but must have " + min + " to " + max + ".");
        }
        List<JsonField> elements = new ArrayList<>(node.size());
        for (int i = 0; i < node.size(); i++) {
            elements.add(new JsonField(node.get(i), path + "[" + i + "]"));
        }
        return elements;
    }

    /** The fields of this object, by name. */
    public List<Map.Entry<String, JsonField>> entries(int max) {
        requireObject();
        if (node.size() > max) {
            throw invalid(path + " has " + node.size() + " entries but may have at most " + max + ".");
        }
        return node.properties().stream()
                .map(entry -> Map.entry(entry.getKey(), new JsonField(entry.getValue(), path + "." + entry.getKey())))
                .toList();
    }

    /** This value has the right type but is none of those allowed. */
    public GenerationException invalidValue(String allowed) {
        return invalid(path + " is " + shown() + " but must be " + allowed + ".");
    }

    /** This value asks for something that the service does not do. */
    public GenerationException unsupported(String reason) {
        return new GenerationException(ErrorType.UNSUPPORTED_PARAMETER, path + " is " + shown() + ": " + reason, path);
    }

    /** The value as messages show it: strings quoted and cut, arrays and objects by their type only. */
    public String shown() {
        if (node.isTextual()) {
            return "'" + shorten(node.textValue()) + "'";
        }
        return node.isValueNode() && !node.isNull() ? shorten(node.asText()) : typeName(node);
    }

    /** Cuts a value of a request to a length that fits a message, and escapes what must not reach a terminal. */
    public static String shorten(String value) {
        if (value.length() <= SHOWN_CHARS) {
            return printable(value);
        }
        int end = Character.isHighSurrogate(value.charAt(SHOWN_CHARS - 1)) ? SHOWN_CHARS - 1 : SHOWN_CHARS;
        return printable(value.substring(0, end)) + "... (" + value.length() + " characters)";
    }

    private static String printable(String value) {
        return UNPRINTABLE
                .matcher(value)
                .replaceAll(found -> String.format("\\\\u%04x", found.group().codePointAt(0)));
    }

    static String typeName(JsonNode node) {
        JsonNodeType type = node.getNodeType();
        return switch (type) {
            case OBJECT -> "an object";
            case ARRAY -> "an array";
            case STRING -> "a string";
            case NUMBER -> "a number";
            case BOOLEAN -> "a boolean";
            case NULL -> "null";
            default -> "missing";
        };
    }

    private JsonField require(boolean matches, String expected) {
        if (!matches) {
            String given = node.isTextual() || node.isNumber() || node.isBoolean() ? shown() : typeName(node);
            throw invalid((path.isEmpty() ? "The body" : path) + " is " + given + " but must be " + expected + ".");
        }
        return this;
    }

    private static String plain(double bound) {
        return bound == Math.rint(bound) ? Long.toString((long) bound) : Double.toString(bound);
    }

    private GenerationException invalid(String message) {
        return new GenerationException(ErrorType.INVALID_VALUE, message, path.isEmpty() ? null : path);
    }
}
