package io.idefics.web.openai;

import static io.idefics.web.openai.ParameterReader.flag;
import static io.idefics.web.openai.ParameterReader.integer;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.Client;
import io.idefics.generation.GenerationException;
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
import java.util.List;
import java.util.OptionalInt;

/**
 * Body of a text completion request to {@link TextCompletionRequest}, after OpenAI's {@code CreateCompletionRequest}, and
 * with prompts that have pictures in them.
 *
 * <p>Optional fields may be null. {@code user} and unknown fields are ignored.
 */
public final class TextRequestReader {

    static final int DEFAULT_MAX_TOKENS = 16;
    static final int MAX_LOGPROBS = 20;

    private final ModelNames models;
    private final GenerationProperties defaults;
    private final ParameterReader parameters;
    private final PromptReader prompts;

    public TextRequestReader(CompletionService service, GenerationProperties defaults, WebProperties limits) {
        this.models = new ModelNames(service);
        this.defaults = defaults;
        this.parameters = new ParameterReader(defaults);
        this.prompts = new PromptReader(defaults.maxPrompts(), new PromptLimits(limits));
    }

    /**
     * Decodes and validates a body.
     *
     * @throws GenerationException naming the first field that is wrong
     */
    public TextCompletionRequest read(JsonNode body) {
        JsonField root = JsonField.root(body);
        refuseSuffix(root.get("suffix"));
        boolean stream = flag(root.get("stream"));
        boolean includeUsage = ParameterReader.includeUsage(root.get("stream_options"));
        boolean idsAsTokens = flag(root.get("return_tokens_as_token_ids"));
        String model = models.read(root.get("model"));
        List<Prompt> all = prompts.read(root);
        OutputOptions output = output(root, stream);
        SamplingParams sampling = parameters.sampling(root);
        StoppingCriteria stopping =
                parameters.stopping(root, output.echo() ? 0 : 1, OptionalInt.of(DEFAULT_MAX_TOKENS));
        List<GenerationRequest> generations = all.stream()
                .map(prompt -> new GenerationRequest(model, prompt, sampling, stopping, output, Client.NOBODY))
                .toList();
        return new TextCompletionRequest(generations, stream, includeUsage, idsAsTokens);
    }

    private OutputOptions output(JsonField root, boolean stream) {
        int choices = (int) integer(root.get("n"), 1, defaults.maxChoices(), 1);
        JsonField most = root.get("best_of");
        int bestOf = (int) integer(most, choices, defaults.maxChoices(), choices);
        if (stream && bestOf > choices) {
            throw most.unsupported(
                    "which answers are the best is not known before they have ended, so not in a stream.");
        }
        int topLogprobs = (int) integer(root.get("logprobs"), 0, MAX_LOGPROBS, -1);
        OutputFormat format = FormatReader.read(root);
        return new OutputOptions(
                choices, bestOf, topLogprobs, flag(root.get("echo")), format, FormatReader.badWords(root, format));
    }

    private static void refuseSuffix(JsonField suffix) {
        if (suffix.isPresent() && !suffix.string().isEmpty()) {
            throw suffix.unsupported("the model cannot fill in the middle of a text.");
        }
    }
}
