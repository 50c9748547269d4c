package io.idefics.service;

import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Prompt;
import io.idefics.processing.PreparedPrompt;
import io.idefics.processing.ProcessorOptions;
import io.idefics.processing.PromptItem;
import io.idefics.service.ModelHost.Parts;
import java.util.Arrays;
import java.util.List;

/** Prompts of requests to tokens. */
final class Prompts {

    private Prompts() {}

    /**
     * The tokens of a prompt.
     *
     * @param maxTokens the most that it may have
     * @throws GenerationException if it has more, or cannot be laid out
     */
    static PreparedPrompt prepare(Prompt prompt, int maxTokens, Parts parts) {
        if (prompt instanceof Prompt.Conversation conversation) {
            return parts.processor().prepare(items(conversation, parts), maxTokens);
        }
        if (prompt instanceof Prompt.Interleaved interleaved) {
            return parts.processor()
                    .prepareVerbatim(
                            items(interleaved),
                            interleaved.addEndOfUtteranceToken(),
                            interleaved.truncateTo(),
                            maxTokens,
                            interleaved.param());
        }
        Prompt.TokenIds tokens = (Prompt.TokenIds) prompt;
        int[] ids = requireKnown(tokens.ids(), tokens.param(), parts);
        if (tokens.ids().size() > maxTokens) {
            throw new GenerationException(
                    ErrorType.CONTEXT_LENGTH_EXCEEDED,
                    "The prompt has " + tokens.ids().size() + " tokens, but at most " + maxTokens + " fit.",
                    tokens.param());
        }
        return parts.processor().prepareIds(ids);
    }

    /** Token ids as an array, none that the model does not know. */
    static int[] requireKnown(List<Integer> ids, String param, Parts parts) {
        int maxId = parts.tokenizer().maxId();
        for (int id : ids) {
            if (id < 0 || id > maxId) {
                throw new GenerationException(
                        ErrorType.INVALID_VALUE,
                        param + " has the token id " + id + " but ids must lie between 0 and " + maxId + ".",
                        param);
            }
        }
        return ids.stream().mapToInt(Integer::intValue).toArray();
    }

    /** The path of a prompt in the request. */
    static String param(Prompt prompt) {
        if (prompt instanceof Prompt.Interleaved interleaved) {
            return interleaved.param();
        }
        return prompt instanceof Prompt.TokenIds tokens ? tokens.param() : "messages";
    }

    private static List<PromptItem> items(Prompt.Conversation conversation, Parts parts) {
        return parts.template().items(conversation.messages(), conversation.continueFinalMessage());
    }

    private static List<PromptItem> items(Prompt.Interleaved interleaved) {
        return interleaved.parts().stream()
                .<PromptItem>map(part -> part instanceof ContentPart.Text text
                        ? new PromptItem.Text(text.text())
                        : new PromptItem.Image())
                .toList();
    }

    /** A prompt as the tokenizer reads it, and as the model does. */
    static RenderedPrompt render(Prompt prompt, Parts parts) {
        int[] ids = prepare(prompt, Integer.MAX_VALUE, parts).inputIds();
        return render(text(prompt, ids, parts), ids, parts);
    }

    private static String text(Prompt prompt, int[] ids, Parts parts) {
        if (prompt instanceof Prompt.Conversation conversation) {
            return parts.processor().fullText(items(conversation, parts), ProcessorOptions.verbatim(false));
        }
        return prompt instanceof Prompt.Interleaved interleaved
                        && interleaved.truncateTo().isEmpty()
                ? parts.processor()
                        .fullText(items(interleaved), ProcessorOptions.verbatim(interleaved.addEndOfUtteranceToken()))
                : parts.tokenizer().decode(ids, false);
    }

    /** Tokens with their texts. */
    static RenderedPrompt render(String text, int[] ids, Parts parts) {
        TokenTexts texts = new TokenTexts(parts.tokenizer());
        int image = parts.tokenizer().specialTokens().image();
        int fake = parts.tokenizer().specialTokens().fakeTokenAroundImage();
        List<RenderedPrompt.Token> tokens = Arrays.stream(ids)
                .mapToObj(id -> new RenderedPrompt.Token(id, texts.text(id), !texts.hasText(id)))
                .toList();
        int imageTokens =
                (int) Arrays.stream(ids).filter(id -> id == image || id == fake).count();
        return new RenderedPrompt(text, tokens, imageTokens, parts.description().contextLength());
    }
}
