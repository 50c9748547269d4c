package io.idefics.web.openai;

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
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/**
 * Body of a chat completion request to {@link ChatCompletionRequest}, after OpenAI's {@code CreateChatCompletionRequest}.
 *
 * <p>Optional fields may be null. Fields that ask for something this service cannot do are refused by name; those
 * that change nothing here ({@code user}, {@code metadata}, {@code store}, {@code service_tier}...) and unknown ones
 * are ignored.
 */
public final class ChatRequestReader {

    static final int MAX_TOP_LOGPROBS = 20;

    private final ModelNames models;
    private final GenerationProperties defaults;
    private final ParameterReader parameters;
    private final MessageReader messages;

    public ChatRequestReader(CompletionService service, GenerationProperties defaults, WebProperties limits) {
        this.models = new ModelNames(service);
        this.defaults = defaults;
        this.parameters = new ParameterReader(defaults);
        this.messages = new MessageReader(new PromptLimits(limits));
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
        boolean includeUsage = ParameterReader.includeUsage(root.get("stream_options"));
        int choices = (int) integer(root.get("n"), 1, defaults.maxChoices(), 1);
        String model = models.read(root.get("model"));
        Prompt.Conversation conversation = conversation(root);
        OutputFormat format = FormatReader.read(root);
        GenerationRequest generation = new GenerationRequest(
                model,
                conversation,
                parameters.sampling(root),
                parameters.stopping(root, 1, OptionalInt.empty()),
                new OutputOptions(
                        choices, choices, topLogprobs(root), false, format, FormatReader.badWords(root, format)),
                Client.NOBODY);
        boolean echo = flag(root.get("echo"));
        String prefix = conversation.continueFinalMessage() && echo ? lastText(conversation.messages()) : "";
        return new ChatCompletionRequest(generation, stream, includeUsage, prefix);
    }

    /**
     * The conversation alone.
     *
     * @throws GenerationException naming the first field of it that is wrong
     */
    public Prompt.Conversation conversation(JsonField root) {
        boolean continues = continues(root);
        return new Prompt.Conversation(messages.read(root.get("messages")), continues);
    }

    /** Whether the answer goes on from the last message; the two flags of vLLM exclude each other. */
    private static boolean continues(JsonField root) {
        boolean continues = flag(root.get("continue_final_message"));
        JsonField turn = root.get("add_generation_prompt");
        if (turn.isPresent() && turn.bool() == continues) {
            throw turn.invalidValue(continues ? "false with continue_final_message" : "true");
        }
        return continues;
    }

    /** The text of the last message as the prompt has it. */
    private static String lastText(List<Message> messages) {
        Message last = messages.get(messages.size() - 1);
        return last.role() != Role.ASSISTANT
                ? ""
                : last.content().stream()
                        .filter(ContentPart.Text.class::isInstance)
                        .map(part -> ((ContentPart.Text) part).text().strip())
                        .filter(text -> !text.isEmpty())
                        .collect(Collectors.joining(" "));
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

    private static void refuseUnsupported(JsonField root) {
        refuseForcedTools(root.get("tool_choice"));
        refuseForcedTools(root.get("function_call"));
        refuseModalities(root.get("modalities"));
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
}
