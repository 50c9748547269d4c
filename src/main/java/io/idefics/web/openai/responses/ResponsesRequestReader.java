package io.idefics.web.openai.responses;

import static io.idefics.web.openai.ParameterReader.count;
import static io.idefics.web.openai.ParameterReader.flag;
import static io.idefics.web.openai.ParameterReader.integer;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.Client;
import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Message;
import io.idefics.generation.OutputFormat;
import io.idefics.generation.OutputOptions;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import io.idefics.service.CompletionService;
import io.idefics.web.GenerationProperties;
import io.idefics.web.JsonField;
import io.idefics.web.ModelNames;
import io.idefics.web.PromptLimits;
import io.idefics.web.WebProperties;
import io.idefics.web.openai.FormatReader;
import io.idefics.web.openai.ParameterReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Body of a request to {@link ResponsesRequest}, after OpenAI's {@code CreateResponse}.
 *
 * <p>Optional fields may be null. Fields that ask for what is stored elsewhere, or for work in the background, are
 * refused by name. Those that change nothing here ({@code store}, {@code reasoning}, {@code truncation}, {@code tools},
 * {@code service_tier}...) and unknown ones are ignored.
 */
public final class ResponsesRequestReader {

    static final int MAX_TOP_LOGPROBS = 20;
    static final int MAX_METADATA = 16;
    static final int MAX_METADATA_KEY = 64;
    static final int MAX_METADATA_VALUE = 512;
    static final String LOGPROBS = "message.output_text.logprobs";

    private static final int MAX_INCLUDES = 64;

    private final ModelNames models;
    private final ParameterReader parameters;
    private final PromptLimits limits;

    public ResponsesRequestReader(CompletionService service, GenerationProperties defaults, WebProperties limits) {
        this.models = new ModelNames(service);
        this.parameters = new ParameterReader(defaults);
        this.limits = new PromptLimits(limits);
    }

    /**
     * Decodes and validates a body.
     *
     * @throws GenerationException naming the first field that is wrong
     */
    public ResponsesRequest read(JsonNode body) {
        JsonField root = JsonField.root(body);
        refuseUnsupported(root);
        ResponsesRequest.Settings settings = settings(root);
        boolean logprobs = includesLogprobs(root.get("include"));
        GenerationRequest generation = new GenerationRequest(
                models.read(root.get("model")),
                new Prompt.Conversation(conversation(settings.instructions(), root.get("input")), false),
                parameters.sampling(root),
                parameters.stopping(root, "max_output_tokens", settings.maxOutputTokens(), OptionalInt.empty()),
                new OutputOptions(
                        1, 1, logprobs ? settings.topLogprobs() : -1, false, format(textFormat(root)), List.of()),
                Client.NOBODY);
        return new ResponsesRequest(generation, flag(root.get("stream")), settings);
    }

    private static ResponsesRequest.Settings settings(JsonField root) {
        JsonField instructions = root.get("instructions");
        JsonField parallel = root.get("parallel_tool_calls");
        JsonField format = textFormat(root);
        return new ResponsesRequest.Settings(
                instructions.isPresent() ? instructions.string() : null,
                count(root.get("max_output_tokens"), 1),
                metadata(root.get("metadata")),
                !parallel.isPresent() || parallel.bool(),
                toolChoice(root.get("tool_choice")),
                format.isPresent() ? format.requireObject().node() : null,
                (int) integer(root.get("top_logprobs"), 0, MAX_TOP_LOGPROBS, 0));
    }

    private List<Message> conversation(@Nullable String instructions, JsonField input) {
        List<Message> conversation = new ArrayList<>();
        if (instructions != null) {
            conversation.add(new Message(Role.SYSTEM, List.of(new ContentPart.Text(instructions))));
        }
        conversation.addAll(InputReader.read(input));
        limits.check(conversation, input.path());
        return conversation;
    }

    private static JsonField textFormat(JsonField root) {
        JsonField text = root.get("text");
        return (text.isPresent() ? text.requireObject() : text).get("format");
    }

    private static OutputFormat format(JsonField format) {
        if (!format.isPresent()) {
            return new OutputFormat.Text();
        }
        JsonField type = format.requireObject().get("type");
        return switch (type.string()) {
            case "text" -> new OutputFormat.Text();
            case "json_object" -> new OutputFormat.JsonObject();
            case "json_schema" -> {
                JsonField name = format.get("name");
                if (name.string().isEmpty()) {
                    throw name.invalidValue("1 to 64 letters, digits, underscores and dashes");
                }
                yield FormatReader.jsonSchema(format);
            }
            default -> throw type.invalidValue("'text', 'json_object' or 'json_schema'");
        };
    }

    /** Whether log-probabilities are to be told; the other things that can be included do not occur here. */
    private static boolean includesLogprobs(JsonField include) {
        return include.isPresent()
                && include.elements(0, MAX_INCLUDES).stream()
                        .map(JsonField::string)
                        .toList()
                        .contains(LOGPROBS);
    }

    private static Map<String, String> metadata(JsonField field) {
        Map<String, String> metadata = new LinkedHashMap<>();
        if (field.isPresent()) {
            for (Map.Entry<String, JsonField> entry : field.entries(MAX_METADATA)) {
                JsonField value = entry.getValue();
                if (entry.getKey().length() > MAX_METADATA_KEY) {
                    throw field.invalidValue("an object with keys of at most " + MAX_METADATA_KEY + " characters");
                }
                if (value.string().length() > MAX_METADATA_VALUE) {
                    throw value.invalidValue("at most " + MAX_METADATA_VALUE + " characters long");
                }
                metadata.put(entry.getKey(), value.string());
            }
        }
        return metadata;
    }

    /** Tools may be offered, as the model never calls one, but a call cannot be demanded. */
    private static String toolChoice(JsonField choice) {
        if (!choice.isPresent()) {
            return "auto";
        }
        if (choice.isObject()) {
            throw choice.unsupported("the model cannot call tools.");
        }
        return switch (choice.string()) {
            case "none", "auto" -> choice.string();
            case "required" -> throw choice.unsupported("the model cannot call tools.");
            default -> throw choice.invalidValue("'none' or 'auto'");
        };
    }

    private static void refuseUnsupported(JsonField root) {
        for (String stored : List.of("previous_response_id", "conversation", "prompt")) {
            if (root.get(stored).isPresent()) {
                throw root.get(stored).unsupported("nothing is stored; give the whole conversation as input.");
            }
        }
        JsonField background = root.get("background");
        if (flag(background)) {
            throw background.unsupported("answers are not stored, so they cannot be made in the background.");
        }
        JsonField truncation = root.get("truncation");
        if (truncation.isPresent() && !List.of("auto", "disabled").contains(truncation.string())) {
            throw truncation.invalidValue("'auto' or 'disabled'");
        }
    }
}
