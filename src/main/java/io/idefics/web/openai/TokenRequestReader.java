package io.idefics.web.openai;

import static io.idefics.web.openai.ParameterReader.flag;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Prompt;
import io.idefics.service.CompletionService;
import io.idefics.web.JsonField;
import io.idefics.web.ModelNames;
import io.idefics.web.PromptLimits;
import io.idefics.web.WebProperties;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Bodies of requests about tokens, after vLLM's {@code TokenizeRequest} and {@code DetokenizeRequest}, and chat requests
 * of which only the prompt matters.
 */
public final class TokenRequestReader {

    /** The most characters of all texts of a request: far more than fits the context, and few enough to be cheap. */
    static final int MAX_CHARACTERS = 1 << 16;

    static final int MAX_TOKENS = 1 << 16;

    private final ModelNames models;
    private final ChatRequestReader chats;
    private final MessageReader messages;

    public TokenRequestReader(CompletionService service, ChatRequestReader chats, WebProperties limits) {
        this.models = new ModelNames(service);
        this.chats = chats;
        this.messages = new MessageReader(new PromptLimits(limits));
    }

    /**
     * What is to be split into tokens. Exactly one of prompt and text is there.
     *
     * @param prompt as it would be run
     * @param text a text alone, before which no token goes
     * @param withStrings whether the texts of the tokens are told too
     */
    record Tokenize(String model, @Nullable Prompt prompt, @Nullable String text, boolean withStrings) {}

    /** Tokens of which the text is wanted. */
    record Detokenize(String model, List<Integer> ids, boolean skipSpecialTokens) {}

    /** A prompt that is only looked at. */
    record Look(String model, Prompt prompt) {}

    /** Whether a body has the {@code inputs} of another dialect's request of the same path. */
    static boolean hasInputs(JsonNode body) {
        JsonField root = JsonField.root(body);
        return root.get("inputs").isPresent()
                && !root.get("prompt").isPresent()
                && !root.get("messages").isPresent();
    }

    Tokenize tokenize(JsonNode body) {
        JsonField root = JsonField.root(body);
        JsonField text = root.get("prompt");
        JsonField conversation = root.get("messages");
        JsonField special = root.get("add_special_tokens");
        boolean withStrings = flag(root.get("return_token_strs"));
        boolean alone = special.isPresent() && !special.bool();
        String model = models.read(root.get("model"));
        if (conversation.isPresent()) {
            if (text.isPresent()) {
                throw conversation.invalidValue("absent where there is a prompt");
            }
            Prompt prompt = chats.conversation(root);
            requireShort(prompt, conversation);
            return new Tokenize(model, prompt, null, withStrings);
        }
        Prompt.Interleaved prompt = interleaved(text);
        requireShort(prompt, text);
        if (alone && !text.isString()) {
            throw special.invalidValue("true where prompt is an array");
        }
        return alone
                ? new Tokenize(model, null, text.string(), withStrings)
                : new Tokenize(model, prompt, null, withStrings);
    }

    Detokenize detokenize(JsonNode body) {
        JsonField root = JsonField.root(body);
        List<Integer> ids = root.get("tokens").elements(0, MAX_TOKENS).stream()
                .map(id -> (int) id.integer(0, Integer.MAX_VALUE))
                .toList();
        boolean skipSpecialTokens = flag(root.get("skip_special_tokens"));
        return new Detokenize(models.read(root.get("model")), ids, skipSpecialTokens);
    }

    Look chat(JsonNode body) {
        GenerationRequest generation = chats.read(body).generation();
        requireShort(generation.prompt(), JsonField.root(body).get("messages"));
        return new Look(generation.model(), generation.prompt());
    }

    private Prompt.Interleaved interleaved(JsonField field) {
        List<ContentPart> parts = field.isArray() ? messages.parts(field) : List.of(new ContentPart.Text(text(field)));
        return new Prompt.Interleaved(parts, false, OptionalInt.empty(), field.path());
    }

    private static String text(JsonField field) {
        if (!field.isString()) {
            throw field.invalidValue("a string or an array of content parts, unless there are messages");
        }
        return field.string();
    }

    /** Refuses a prompt whose texts are too long to be split into tokens for nothing but that. */
    public static void requireShort(Prompt prompt, JsonField field) {
        long characters = texts(prompt).mapToLong(String::length).sum();
        if (characters > MAX_CHARACTERS) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    field.path() + " has " + characters + " characters but may have at most " + MAX_CHARACTERS + ".",
                    field.path());
        }
    }

    private static Stream<String> texts(Prompt prompt) {
        Stream<ContentPart> parts = prompt instanceof Prompt.Conversation conversation
                ? conversation.messages().stream().flatMap(message -> message.content().stream())
                : ((Prompt.Interleaved) prompt).parts().stream();
        return parts.filter(ContentPart.Text.class::isInstance).map(part -> ((ContentPart.Text) part).text());
    }
}
