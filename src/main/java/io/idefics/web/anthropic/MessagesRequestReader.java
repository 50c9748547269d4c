package io.idefics.web.anthropic;

import static io.idefics.web.openai.ParameterReader.flag;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.Client;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.OutputFormat;
import io.idefics.generation.OutputOptions;
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
import java.util.OptionalInt;

/**
 * Bodies of requests to {@link MessagesRequest} and {@link CountRequest}, after Anthropic's {@code CreateMessageParams}.
 *
 * <p>Optional fields may be null. Fields that ask for something this service cannot do are refused by name; those that
 * change nothing here ({@code metadata}, {@code cache_control}, {@code service_tier}, {@code tools}...) and unknown ones
 * are ignored. Sampling knows the further parameters of the other endpoints too.
 */
public final class MessagesRequestReader {

    static final int MAX_TEMPERATURE = 1;

    private final ModelNames models;
    private final ParameterReader parameters;
    private final ConversationReader conversations;

    public MessagesRequestReader(CompletionService service, GenerationProperties defaults, WebProperties limits) {
        this.models = new ModelNames(service);
        this.parameters = new ParameterReader(defaults);
        this.conversations = new ConversationReader(new PromptLimits(limits));
    }

    /**
     * Decodes and validates a body that asks for an answer.
     *
     * @throws GenerationException naming the first field that is wrong
     */
    public MessagesRequest read(JsonNode body) {
        JsonField root = JsonField.root(body);
        CountRequest prompt = count(body);
        int maxTokens = (int) root.get("max_tokens").integer(0, Integer.MAX_VALUE);
        refuseHeat(root.get("temperature"));
        GenerationRequest generation = new GenerationRequest(
                prompt.model(),
                prompt.prompt(),
                parameters.sampling(root),
                new StoppingCriteria(OptionalInt.of(maxTokens), 0, stopSequences(root.get("stop_sequences"))),
                new OutputOptions(1, 1, -1, false, format(root.get("output_config")), List.of()),
                Client.NOBODY);
        return new MessagesRequest(generation, maxTokens, flag(root.get("stream")));
    }

    /**
     * Decodes and validates a body that asks for a count of tokens.
     *
     * @throws GenerationException naming the first field that is wrong
     */
    public CountRequest count(JsonNode body) {
        JsonField root = JsonField.root(body);
        refuseThinking(root.get("thinking"));
        refuseForcedTools(root.get("tool_choice"));
        return new CountRequest(models.read(root.get("model")), conversations.read(root));
    }

    /** The highest temperature is lower than elsewhere. */
    private static void refuseHeat(JsonField temperature) {
        if (temperature.isPresent()) {
            temperature.number(0, MAX_TEMPERATURE);
        }
    }

    private static List<String> stopSequences(JsonField field) {
        return field.isPresent()
                ? field.elements(0, ParameterReader.MAX_STOPS).stream()
                        .map(stop -> ParameterReader.string(stop, ParameterReader.MAX_STOP_LENGTH))
                        .toList()
                : List.of();
    }

    private static OutputFormat format(JsonField config) {
        JsonField format = (config.isPresent() ? config.requireObject() : config).get("format");
        if (!format.isPresent()) {
            return new OutputFormat.Text();
        }
        JsonField type = format.requireObject().get("type");
        if (!type.string().equals("json_schema")) {
            throw type.invalidValue("'json_schema'");
        }
        return FormatReader.schema(format.get("schema").requireObject());
    }

    /** A model that decides for itself whether to think need not. */
    private static void refuseThinking(JsonField thinking) {
        if (!thinking.isPresent()) {
            return;
        }
        JsonField type = thinking.requireObject().get("type");
        switch (type.string()) {
            case "disabled", "adaptive" -> {}
            case "enabled", "between_tools" -> throw type.unsupported("the model does not think aloud.");
            default -> throw type.invalidValue("'disabled' or 'adaptive'");
        }
    }

    /** Tools may be offered, as the model never calls one, but a call cannot be demanded. */
    private static void refuseForcedTools(JsonField choice) {
        if (!choice.isPresent()) {
            return;
        }
        JsonField type = choice.requireObject().get("type");
        switch (type.string()) {
            case "auto", "none" -> {}
            case "any", "tool" -> throw type.unsupported("the model cannot call tools.");
            default -> throw type.invalidValue("'auto' or 'none'");
        }
    }
}
