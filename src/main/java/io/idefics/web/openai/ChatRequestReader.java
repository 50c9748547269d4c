package io.idefics.web.openai;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.service.CompletionService;
import io.idefics.service.ModelDescription;
import io.idefics.web.GenerationProperties;
import io.idefics.web.JsonField;
import io.idefics.web.WebProperties;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Body of a chat completion request to {@link ChatCompletionRequest}, after OpenAI's {@code CreateChatCompletionRequest}.
 *
 * <p>Optional fields may be null. Fields that ask for something this service cannot do are refused by name; those
 * that change nothing here ({@code user}, {@code metadata}, {@code store}, {@code service_tier}...) and unknown ones
 * are ignored.
 */
public final class ChatRequestReader {

    static final int MAX_STOPS = 16;
    static final int MAX_STOP_LENGTH = 1_000;
    static final int MAX_LOGIT_BIASES = 1_024;
    static final int MAX_TOP_LOGPROBS = 20;
    static final int MAX_REPETITION_PENALTY = 10;

    private final CompletionService service;
    private final GenerationProperties defaults;
    private final MessageReader messages;

    public ChatRequestReader(CompletionService service, GenerationProperties defaults, WebProperties limits) {
        this.service = service;
        this.defaults = defaults;
        this.messages = new MessageReader(limits.maxImages());
    }

    /**
     * Decodes and validates a body.
     *
     * @throws GenerationException naming the first field that is wrong
     */
    public ChatCompletionRequest read(JsonNode body) {
        JsonField root = JsonField.root(body);
        refuseUnsupported(root);
        boolean stream = flag(root.get("stream"));
        boolean includeUsage = includeUsage(root.get("stream_options"));
        GenerationRequest generation = new GenerationRequest(
                model(root.get("model")),
                messages.read(root.get("messages")),
                sampling(root),
                stopping(root),
                (int) integer(root.get("n"), 1, defaults.maxChoices(), 1),
                topLogprobs(root));
        return new ChatCompletionRequest(generation, stream, includeUsage);
    }

    /** The model that is asked for, or the first one where none is. One that is loading or failed is the service's answer. */
    private String model(JsonField field) {
        List<ModelDescription> ready = service.models();
        if (field.isPresent() && service.knows(field.string())) {
            return field.string();
        }
        if (ready.isEmpty()) {
            throw new GenerationException(ErrorType.MODEL_NOT_READY, "No model is ready to answer.", null);
        }
        if (field.isPresent()) {
            throw new GenerationException(
                    ErrorType.MODEL_NOT_FOUND, "The model " + field.shown() + " does not exist.", field.path());
        }
        return ready.get(0).id();
    }

    private SamplingParams sampling(JsonField root) {
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

    private static StoppingCriteria stopping(JsonField root) {
        OptionalInt older = count(root.get("max_tokens"));
        OptionalInt newer = count(root.get("max_completion_tokens"));
        OptionalInt maxTokens = newer.isPresent() ? newer : older;
        JsonField least = root.get("min_tokens");
        int minTokens = (int) integer(least, 0, Integer.MAX_VALUE, 0);
        if (maxTokens.isPresent() && minTokens > maxTokens.getAsInt()) {
            throw least.invalidValue("at most that of max_tokens, " + maxTokens.getAsInt());
        }
        return new StoppingCriteria(maxTokens, minTokens, stop(root.get("stop")));
    }

    /** How many alternatives to tell for each token, -1 for no log-probabilities at all. */
    private static int topLogprobs(JsonField root) {
        boolean wanted = flag(root.get("logprobs"));
        JsonField top = root.get("top_logprobs");
        int count = (int) integer(top, 0, MAX_TOP_LOGPROBS, 0);
        if (count > 0 && !wanted) {
            throw top.invalidValue("0 unless logprobs is true");
        }
        return wanted ? count : -1;
    }

    private static List<String> stop(JsonField field) {
        if (!field.isPresent()) {
            return List.of();
        }
        List<JsonField> strings = field.isString() ? List.of(field) : stopElements(field);
        return strings.stream().map(ChatRequestReader::stopString).toList();
    }

    private static List<JsonField> stopElements(JsonField field) {
        if (!field.isArray()) {
            throw field.invalidValue("a string or an array of strings");
        }
        return field.elements(0, MAX_STOPS);
    }

    private static String stopString(JsonField field) {
        String stop = field.string();
        if (stop.isEmpty() || stop.length() > MAX_STOP_LENGTH) {
            throw field.invalidValue("1 to " + MAX_STOP_LENGTH + " characters long");
        }
        return stop;
    }

    private static Map<Integer, Double> logitBias(JsonField field) {
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

    private static OptionalLong seed(JsonField field) {
        return field.isPresent()
                ? OptionalLong.of(field.integer(Long.MIN_VALUE, Long.MAX_VALUE))
                : OptionalLong.empty();
    }

    private static boolean includeUsage(JsonField options) {
        return options.isPresent() && flag(options.requireObject().get("include_usage"));
    }

    private static void refuseUnsupported(JsonField root) {
        refuseFormats(root.get("response_format"));
        refuseForcedTools(root.get("tool_choice"));
        refuseForcedTools(root.get("function_call"));
        refuseModalities(root.get("modalities"));
    }

    private static void refuseFormats(JsonField format) {
        if (!format.isPresent()) {
            return;
        }
        JsonField type = format.requireObject().get("type");
        switch (type.string()) {
            case "text" -> {}
            case "json_object", "json_schema" -> throw type.unsupported("only 'text' is supported.");
            default -> throw type.invalidValue("'text'");
        }
    }

    /** Tools may be offered, as the model never calls one, but a call cannot be demanded. */
    private static void refuseForcedTools(JsonField choice) {
        if (!choice.isPresent()) {
            return;
        }
        if (choice.isObject()) {
            throw choice.unsupported("the model cannot call tools.");
        }
        switch (choice.string()) {
            case "none", "auto" -> {}
            case "required" -> throw choice.unsupported("the model cannot call tools.");
            default -> throw choice.invalidValue("'none' or 'auto'");
        }
    }

    private static void refuseModalities(JsonField modalities) {
        if (!modalities.isPresent()) {
            return;
        }
        for (JsonField modality : modalities.elements(0, 8)) {
            if (!modality.string().equals("text")) {
                throw modality.unsupported("only 'text' is supported.");
            }
        }
    }

    private static boolean flag(JsonField field) {
        return field.isPresent() && field.bool();
    }

    private static double number(JsonField field, double min, double max, double otherwise) {
        return field.isPresent() ? field.number(min, max) : otherwise;
    }

    /** A number above zero whose default is 1. */
    private static double aboveZero(JsonField field, int max) {
        double value = number(field, 0, max, 1);
        if (value == 0) {
            throw field.invalidValue("above 0 and at most " + max);
        }
        return value;
    }

    private static long integer(JsonField field, long min, long max, long otherwise) {
        return field.isPresent() ? field.integer(min, max) : otherwise;
    }

    private static OptionalInt count(JsonField field) {
        return field.isPresent() ? OptionalInt.of((int) field.integer(1, Integer.MAX_VALUE)) : OptionalInt.empty();
    }
}
