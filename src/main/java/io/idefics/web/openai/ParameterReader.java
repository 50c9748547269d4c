package io.idefics.web.openai;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.web.GenerationProperties;
import io.idefics.web.JsonField;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;

/** The parameters that all of OpenAI's endpoints name alike, and what open model servers have added to them. */
public record ParameterReader(GenerationProperties defaults) {

    public static final int MAX_STOPS = 16;
    public static final int MAX_STOP_LENGTH = 1_000;
    public static final int MAX_BAD_WORDS = 256;
    static final int MAX_LOGIT_BIASES = 1_024;
    static final int MAX_REPETITION_PENALTY = 10;

    /** How tokens are chosen. */
    public SamplingParams sampling(JsonField root) {
        return new SamplingParams(
                number(root.get("temperature"), 0, 2, defaults.defaultTemperature()),
                aboveZero(root.get("top_p"), 1),
                (int) integer(root.get("top_k"), 0, Integer.MAX_VALUE, 0),
                number(root.get("min_p"), 0, 1, 0),
                aboveZero(root.get("typical_p"), 1),
                aboveZero(root.get("repetition_penalty"), MAX_REPETITION_PENALTY),
                number(root.get("presence_penalty"), -2, 2, 0),
                number(root.get("frequency_penalty"), -2, 2, 0),
                logitBias(root.get("logit_bias")),
                seed(root.get("seed")));
    }

    /**
     * When generation ends.
     *
     * @param leastTokens the least that {@code max_tokens} may be
     * @param defaultTokens what it is where it is absent; empty for what fits
     */
    public StoppingCriteria stopping(JsonField root, int leastTokens, OptionalInt defaultTokens) {
        OptionalInt older = count(root.get("max_tokens"), leastTokens);
        OptionalInt newer = count(root.get("max_completion_tokens"), leastTokens);
        return stopping(root, "max_tokens", newer.isPresent() ? newer : older, defaultTokens);
    }

    /**
     * When generation ends, with the most tokens read elsewhere.
     *
     * @param name the name of the most tokens in the request
     * @param given what the request says there
     * @param defaultTokens what it is where the request says nothing; empty for what fits
     */
    public StoppingCriteria stopping(JsonField root, String name, OptionalInt given, OptionalInt defaultTokens) {
        OptionalInt maxLength = count(root.get("max_length"), 1);
        OptionalInt maxTokens = given.isPresent() || maxLength.isPresent() ? given : defaultTokens;
        JsonField least = root.get("min_tokens");
        int minTokens = (int) integer(least, 0, Integer.MAX_VALUE, 0);
        if (maxTokens.isPresent() && minTokens > maxTokens.getAsInt()) {
            throw least.invalidValue("at most that of " + name + ", " + maxTokens.getAsInt());
        }
        return new StoppingCriteria(
                maxTokens,
                maxLength,
                minTokens,
                flag(root.get("ignore_eos")),
                strings(root.get("stop"), MAX_STOPS, MAX_STOP_LENGTH),
                stopTokenIds(root.get("stop_token_ids")),
                flag(root.get("include_stop_str_in_output")));
    }

    /** Whether a stream ends with a chunk of usage. */
    static boolean includeUsage(JsonField options) {
        return options.isPresent() && flag(options.requireObject().get("include_usage"));
    }

    private static Set<Integer> stopTokenIds(JsonField field) {
        if (!field.isPresent()) {
            return Set.of();
        }
        return field.elements(0, MAX_STOPS).stream()
                .map(id -> (int) id.integer(0, Integer.MAX_VALUE))
                .collect(Collectors.toSet());
    }

    /** Strings that must not occur. */
    public static List<String> badWords(JsonField field) {
        return strings(field, MAX_BAD_WORDS, MAX_STOP_LENGTH);
    }

    /** A string, several, or none. */
    public static List<String> strings(JsonField field, int maxStrings, int maxLength) {
        if (!field.isPresent()) {
            return List.of();
        }
        if (!field.isString() && !field.isArray()) {
            throw field.invalidValue("a string or an array of strings");
        }
        List<JsonField> strings = field.isString() ? List.of(field) : field.elements(0, maxStrings);
        return strings.stream().map(element -> string(element, maxLength)).toList();
    }

    /** A string that is not empty. */
    public static String string(JsonField field, int maxLength) {
        String string = field.string();
        if (string.isEmpty() || string.length() > maxLength) {
            throw field.invalidValue("1 to " + maxLength + " characters long");
        }
        return string;
    }

    public static Map<Integer, Double> logitBias(JsonField field) {
        if (!field.isPresent()) {
            return Map.of();
        }
        Map<Integer, Double> biases = new HashMap<>();
        for (Map.Entry<String, JsonField> entry : field.entries(MAX_LOGIT_BIASES)) {
            biases.put(tokenId(entry.getKey(), field), entry.getValue().number(-100, 100));
        }
        return biases;
    }

    private static int tokenId(String key, JsonField field) {
        // Nine digits at most: no overflow, and no other spelling of the same id but leading zeros, refused too.
        if (!key.matches("0|[1-9][0-9]{0,8}")) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    field.path() + " has the key '" + JsonField.shorten(key) + "' but keys must be token ids.",
                    field.path());
        }
        return Integer.parseInt(key);
    }

    public static OptionalLong seed(JsonField field) {
        return field.isPresent()
                ? OptionalLong.of(field.integer(Long.MIN_VALUE, Long.MAX_VALUE))
                : OptionalLong.empty();
    }

    /** A boolean that is false where it is absent. */
    public static boolean flag(JsonField field) {
        return field.isPresent() && field.bool();
    }

    /** A number within bounds. */
    public static double number(JsonField field, double min, double max, double otherwise) {
        return field.isPresent() ? field.number(min, max) : otherwise;
    }

    /** A number above zero whose default is 1. */
    public static double aboveZero(JsonField field, int max) {
        double value = number(field, 0, max, 1);
        if (value == 0) {
            throw field.invalidValue("above 0 and at most " + max);
        }
        return value;
    }

    /** A whole number within bounds. */
    public static long integer(JsonField field, long min, long max, long otherwise) {
        return field.isPresent() ? field.integer(min, max) : otherwise;
    }

    /** A number of tokens; empty where it is absent. */
    public static OptionalInt count(JsonField field, int least) {
        return field.isPresent() ? OptionalInt.of((int) field.integer(least, Integer.MAX_VALUE)) : OptionalInt.empty();
    }
}
