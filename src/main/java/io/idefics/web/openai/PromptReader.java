package io.idefics.web.openai;

import io.idefics.generation.ContentPart;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import io.idefics.web.JsonField;
import io.idefics.web.PromptLimits;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The {@code prompt} of a completion request: one prompt, or a batch of them.
 *
 * <p>A prompt is a string, an array of token ids, or an array of texts and pictures. Those are parts of content as in a
 * chat; a bare string among them is a picture where it is a URL and nothing else, as in the reference processor, and a text
 * otherwise. A batch is an array of prompts. So an array of strings alone is a batch of texts, and an array with a part of
 * content in it is one prompt.
 */
final class PromptReader {

    static final int MAX_PARTS = 1_024;
    static final int MAX_IDS = 100_000;

    private static final Pattern PICTURE = Pattern.compile("(?:https?://|data:image/)\\S+", Pattern.CASE_INSENSITIVE);

    private final int maxPrompts;
    private final PromptLimits limits;

    /** How all prompts of a request are read. */
    private record Form(boolean addEndOfUtteranceToken, OptionalInt truncateTo) {}

    PromptReader(int maxPrompts, PromptLimits limits) {
        this.maxPrompts = maxPrompts;
        this.limits = limits;
    }

    /** The prompts of a request, at least one, in order. */
    List<Prompt> read(JsonField root) {
        JsonField field = root.get("prompt");
        JsonField truncation = root.get("truncate_prompt_tokens");
        Form form = new Form(
                ParameterReader.flag(root.get("add_end_of_utterance_token")), ParameterReader.count(truncation, 1));
        List<JsonField> fields = isBatch(field) ? field.elements(1, maxPrompts) : List.of(field);
        List<Prompt> prompts =
                fields.stream().map(prompt -> prompt(prompt, form)).toList();
        limits.checkParts(prompts.stream().flatMap(PromptReader::parts).toList(), field.path());
        return prompts;
    }

    private static boolean isBatch(JsonField field) {
        if (!field.isArray()) {
            return false;
        }
        boolean isPrompt = false;
        for (var element : field.node()) {
            isPrompt |= element.isObject() || element.isNumber();
        }
        return !isPrompt;
    }

    private static Prompt prompt(JsonField field, Form form) {
        if (field.isString()) {
            return interleaved(List.of(new ContentPart.Text(field.string())), form, field);
        }
        if (!field.isArray()) {
            throw field.invalidValue("a string or an array");
        }
        return field.node().path(0).isNumber() ? tokenIds(field, form) : interleaved(parts(field), form, field);
    }

    private static Prompt tokenIds(JsonField field, Form form) {
        List<Integer> ids = field.elements(1, MAX_IDS).stream()
                .map(id -> (int) id.integer(0, Integer.MAX_VALUE))
                .toList();
        int cut = Math.max(0, ids.size() - form.truncateTo().orElse(ids.size()));
        return new Prompt.TokenIds(ids.subList(cut, ids.size()), field.path());
    }

    private static Prompt interleaved(List<ContentPart> parts, Form form, JsonField field) {
        return new Prompt.Interleaved(parts, form.addEndOfUtteranceToken(), form.truncateTo(), field.path());
    }

    private static Stream<ContentPart> parts(Prompt prompt) {
        return prompt instanceof Prompt.Interleaved interleaved ? interleaved.parts().stream() : Stream.empty();
    }

    private static List<ContentPart> parts(JsonField field) {
        List<ContentPart> parts = new ArrayList<>();
        for (JsonField element : field.elements(1, MAX_PARTS)) {
            if (element.isString()) {
                String text = element.string();
                String url = text.strip();
                parts.add(
                        PICTURE.matcher(url).matches()
                                ? new ImageRef(url, element.path())
                                : new ContentPart.Text(text));
            } else if (element.isObject()) {
                parts.add(MessageReader.part(element, Role.USER));
            } else {
                throw element.invalidValue("a text or a picture, as " + field.path() + " is one prompt");
            }
        }
        return parts;
    }
}
