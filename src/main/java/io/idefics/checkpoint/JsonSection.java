package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One object of a JSON file, read key by key; a key that is absent or null takes its default, and every error names
 * the file, the key, the value found and what was expected.
 */
record JsonSection(Path file, String prefix, ObjectNode object) {

    /** The nested object at a key; empty when absent. */
    JsonSection section(String key) {
        JsonNode value = value(key);
        if (value == null) {
            return new JsonSection(file, prefix + key + ".", JsonNodeFactory.instance.objectNode());
        }
        if (!(value instanceof ObjectNode nested)) {
            throw wrong(key, value, "an object");
        }
        return new JsonSection(file, prefix + key + ".", nested);
    }

    /** The value at a key, null when absent or JSON null. */
    @Nullable
    JsonNode value(String key) {
        JsonNode value = object.get(key);
        return value == null || value.isNull() ? null : value;
    }

    /** A required whole number in 1..max. */
    int size(String key, int max) {
        return checked(key, 1, max, required(key));
    }

    /** A whole number in min..max, or the default when absent. */
    int integer(String key, int min, int max, int fallback) {
        JsonNode value = value(key);
        return value == null ? fallback : checked(key, min, max, value);
    }

    private int checked(String key, int min, int max, JsonNode value) {
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < min || value.intValue() > max) {
            throw wrong(key, value, "a whole number from " + min + " to " + max);
        }
        return value.intValue();
    }

    /** A number or a list of numbers in min..max, or the default when absent. */
    List<Integer> integers(String key, int min, int max, List<Integer> fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        List<Integer> numbers = new ArrayList<>();
        if (value.isArray()) {
            value.forEach(element -> numbers.add(checked(key, min, max, element)));
        } else {
            numbers.add(checked(key, min, max, value));
        }
        return List.copyOf(numbers);
    }

    /** A finite number above zero, or the default when absent. */
    double positive(String key, double fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        double number = value.isNumber() ? value.doubleValue() : Double.NaN;
        if (!(number > 0 && number < Double.POSITIVE_INFINITY)) {
            throw wrong(key, value, "a number above 0");
        }
        return number;
    }

    /** A list of exactly {@code count} finite numbers, or the default when absent. */
    List<Double> numbers(String key, int count, List<Double> fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        List<Double> numbers = new ArrayList<>();
        value.forEach(element -> numbers.add(element.isNumber() ? element.doubleValue() : Double.NaN));
        if (!value.isArray() || numbers.size() != count || !numbers.stream().allMatch(Double::isFinite)) {
            throw invalid(key, "is not a list of " + count + " numbers");
        }
        return List.copyOf(numbers);
    }

    boolean flag(String key, boolean fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        if (!value.isBoolean()) {
            throw wrong(key, value, "true or false");
        }
        return value.booleanValue();
    }

    /** One of the supported words, or the default when absent. */
    String choice(String key, List<String> supported, String fallback) {
        JsonNode value = value(key);
        if (value == null) {
            return fallback;
        }
        if (!value.isTextual() || !supported.contains(value.textValue())) {
            throw wrong(key, value, supported.size() == 1 ? quote(supported.get(0)) : "one of " + supported);
        }
        return value.textValue();
    }

    JsonNode required(String key) {
        JsonNode value = value(key);
        if (value == null) {
            throw new CheckpointException(file + ": key " + prefix + key + " is missing");
        }
        return value;
    }

    /** The error for a value that is not what its key needs. */
    CheckpointException wrong(String key, JsonNode value, String expected) {
        return invalid(key, "is " + shown(value) + ", expected " + expected);
    }

    /** The error for a key whose value breaks a rule. */
    CheckpointException invalid(String key, String reason) {
        return new CheckpointException(file + ": key " + prefix + key + " " + reason);
    }

    private static String shown(JsonNode value) {
        return value.isContainerNode() ? (value.isArray() ? "a list" : "an object") : quote(value.asText());
    }
}
