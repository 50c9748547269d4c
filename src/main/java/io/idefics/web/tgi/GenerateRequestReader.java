package io.idefics.web.tgi;

import static io.idefics.web.openai.ParameterReader.count;
import static io.idefics.web.openai.ParameterReader.flag;
import static io.idefics.web.openai.ParameterReader.integer;
import static io.idefics.web.openai.ParameterReader.number;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.Client;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.OutputFormat;
import io.idefics.generation.OutputOptions;
import io.idefics.generation.Prompt;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.service.CompletionService;
import io.idefics.web.GenerationProperties;
import io.idefics.web.JsonField;
import io.idefics.web.ModelNames;
import io.idefics.web.PromptLimits;
import io.idefics.web.WebProperties;
import io.idefics.web.openai.FormatReader;
import io.idefics.web.openai.ParameterReader;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Body of a request to {@link GenerateRequest}, with the names, bounds and defaults of text-generation-inference 3.3
 * ({@code GenerateParameters} and {@code Validation::validate} of its router). Fields may be null; unknown ones are
 * ignored. Beyond it, {@code model} chooses among several models.
 */
public final class GenerateRequestReader {

    static final int MAX_TOP_TOKENS = 20;
    static final int MAX_FACTOR = 100;

    /** Drawn seeds are below 2^53, so that every JSON parser reads them exactly. */
    private static final long SEEDS = 1L << 53;

    private final ModelNames models;
    private final int maxBestOf;
    private final PromptLimits limits;

    public GenerateRequestReader(CompletionService service, GenerationProperties defaults, WebProperties limits) {
        this.models = new ModelNames(service);
        this.maxBestOf = defaults.maxChoices();
        this.limits = new PromptLimits(limits);
    }

    /** Whether the body asks for a stream; of use only where the path does not say. */
    boolean isStream(JsonNode body) {
        return flag(JsonField.root(body).get("stream"));
    }

    /**
     * Decodes and validates a body.
     *
     * @throws GenerationException naming the first field that is wrong
     */
    GenerateRequest read(JsonNode body, boolean stream) {
        JsonField root = JsonField.root(body);
        JsonField parameters = root.get("parameters");
        if (parameters.isPresent()) {
            parameters.requireObject();
        }
        refuseUnsupported(parameters);
        boolean samples = samples(parameters);
        int bestOf = bestOf(parameters, samples, stream);
        boolean prefill = flag(parameters.get("decoder_input_details"));
        if (prefill && stream) {
            throw invalid(
                    parameters.get("decoder_input_details"),
                    "`decoder_input_details` == true is not supported when streaming tokens");
        }
        boolean details = flag(parameters.get("details")) || prefill;
        int topTokens = (int) integer(parameters.get("top_n_tokens"), 0, MAX_TOP_TOKENS, 0);
        boolean tellsTokens = stream || details || bestOf > 1;
        String model = models.read(root.get("model"));
        Inputs inputs = inputs(root);
        GenerationRequest generation = new GenerationRequest(
                model,
                prompt(inputs, count(parameters.get("truncate"), 1)),
                sampling(parameters, samples, bestOf),
                stopping(parameters),
                new OutputOptions(
                        bestOf,
                        bestOf,
                        tellsTokens ? topTokens : -1,
                        prefill,
                        grammar(parameters.get("grammar")),
                        List.of()),
                Client.NOBODY);
        return new GenerateRequest(generation, inputs.text(), flag(parameters.get("return_full_text")), details);
    }

    /** The prompt of a body. */
    Inputs inputs(JsonField root) {
        Inputs inputs = Inputs.read(root.get("inputs"), limits.maxImages());
        limits.checkParts(inputs.parts("inputs"), "inputs");
        return inputs;
    }

    /** The model that is asked for. */
    String model(JsonField root) {
        return models.read(root.get("model"));
    }

    /** A prompt as the model reads it. */
    static Prompt prompt(Inputs inputs, OptionalInt truncateTo) {
        return new Prompt.Interleaved(inputs.parts("inputs"), false, truncateTo, "inputs");
    }

    /** Tokens are drawn where that is asked for, where something is said of how, and without any parameters. */
    private static boolean samples(JsonField parameters) {
        JsonField temperature = parameters.get("temperature");
        return !parameters.isPresent()
                || flag(parameters.get("do_sample"))
                || (temperature.isPresent() && number(temperature, 0, MAX_FACTOR, 1) != 1)
                || parameters.get("top_k").isPresent()
                || parameters.get("top_p").isPresent()
                || parameters.get("typical_p").isPresent();
    }

    private int bestOf(JsonField parameters, boolean samples, boolean stream) {
        JsonField field = parameters.get("best_of");
        long bestOf = integer(field, 0, Integer.MAX_VALUE, 1);
        if (stream && bestOf != 1) {
            throw invalid(field, "`best_of` != 1 is not supported when streaming tokens");
        }
        if (bestOf < 1 || bestOf > maxBestOf) {
            throw invalid(field, "`best_of` must be > 0 and <= " + maxBestOf + ". Given: " + bestOf);
        }
        if (bestOf > 1 && !samples && !parameters.get("temperature").isPresent()) {
            throw invalid(field, "you must use sampling when `best_of` is > 1");
        }
        if (bestOf > 1 && parameters.get("seed").isPresent()) {
            throw invalid(parameters.get("seed"), "`seed` must not be set when `best_of` > 1");
        }
        return (int) bestOf;
    }

    private static SamplingParams sampling(JsonField parameters, boolean samples, int bestOf) {
        double temperature = aboveZero(parameters.get("temperature"));
        JsonField seed = parameters.get("seed");
        long given = seed.isPresent()
                ? seed.integer(0, Long.MAX_VALUE)
                : ThreadLocalRandom.current().nextLong(SEEDS);
        boolean draws = samples || bestOf > 1;
        return new SamplingParams(
                draws ? temperature : 0,
                share(parameters.get("top_p")),
                (int) integer(parameters.get("top_k"), 1, Integer.MAX_VALUE, 0),
                0,
                share(parameters.get("typical_p")),
                aboveZero(parameters.get("repetition_penalty")),
                0,
                number(parameters.get("frequency_penalty"), -2, 2, 0),
                Map.of(),
                draws ? OptionalLong.of(given) : OptionalLong.empty());
    }

    private static StoppingCriteria stopping(JsonField parameters) {
        JsonField stop = parameters.get("stop");
        if (stop.isPresent() && !stop.isArray()) {
            throw stop.invalidValue("an array of strings");
        }
        return new StoppingCriteria(
                count(parameters.get("max_new_tokens"), 1),
                OptionalInt.empty(),
                0,
                false,
                ParameterReader.strings(stop, ParameterReader.MAX_STOPS, ParameterReader.MAX_STOP_LENGTH),
                Set.of(),
                true);
    }

    /** A form that the answer must have, of the types {@code json}, {@code json_object}, {@code json_schema} and {@code regex}. */
    private static OutputFormat grammar(JsonField grammar) {
        if (!grammar.isPresent()) {
            return new OutputFormat.Text();
        }
        JsonField type = grammar.requireObject().get("type");
        JsonField value = grammar.get("value");
        return switch (type.string()) {
            case "json" -> FormatReader.schema(value);
            case "json_object" -> value.isPresent() ? FormatReader.schema(value) : new OutputFormat.JsonObject();
            case "json_schema" -> FormatReader.schema(value.requireObject().get("schema"));
            case "regex" -> FormatReader.regex(value);
            default -> throw type.invalidValue("'json', 'json_object', 'json_schema' or 'regex'");
        };
    }

    private static void refuseUnsupported(JsonField parameters) {
        JsonField watermark = parameters.get("watermark");
        if (flag(watermark)) {
            throw watermark.unsupported("answers cannot be watermarked.");
        }
        JsonField adapter = parameters.get("adapter_id");
        if (adapter.isPresent()) {
            throw adapter.unsupported("no adapters are served.");
        }
    }

    private static double aboveZero(JsonField field) {
        return ParameterReader.aboveZero(field, MAX_FACTOR);
    }

    /** A share of the probability that is neither nothing nor all; all where it is absent. */
    private static double share(JsonField field) {
        double share = number(field, 0, 1, 1);
        if (field.isPresent() && (share == 0 || share == 1)) {
            throw field.invalidValue("above 0 and below 1");
        }
        return share;
    }

    private static GenerationException invalid(JsonField field, String message) {
        return new GenerationException(ErrorType.INVALID_VALUE, message, field.path());
    }
}
