package io.idefics.web.openai;

import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import io.idefics.web.JsonField;
import io.idefics.web.PromptLimits;
import java.util.ArrayList;
import java.util.List;

/** The {@code messages} of a request, after OpenAI's {@code ChatCompletionRequestMessage}. */
final class MessageReader {

    static final int MAX_MESSAGES = 1_024;
    static final int MAX_PARTS = 256;

    private static final String PART_TYPES = "'text' or 'image_url'";

    private final PromptLimits limits;

    MessageReader(PromptLimits limits) {
        this.limits = limits;
    }

    List<Message> read(JsonField field) {
        int given = field.node().size();
        if (field.isArray() && given > MAX_MESSAGES) {
            throw new GenerationException(
                    ErrorType.CONTEXT_LENGTH_EXCEEDED,
                    "messages has " + given + " elements but may have at most " + MAX_MESSAGES + ".",
                    field.path());
        }
        List<Message> messages = new ArrayList<>();
        for (JsonField message : field.elements(1, MAX_MESSAGES)) {
            messages.add(message(message, field));
        }
        limits.check(messages, field.path());
        return messages;
    }

    /** Texts and pictures without a speaker. */
    List<ContentPart> parts(JsonField field) {
        List<ContentPart> parts = new ArrayList<>();
        for (JsonField part : field.elements(1, MAX_PARTS)) {
            parts.add(part(part.requireObject(), Role.USER));
        }
        limits.checkParts(parts, field.path());
        return parts;
    }

    /** A message whose parts have not been read. */
    private record Head(Role role, JsonField content, List<JsonField> parts) {}

    private static Message message(JsonField message, JsonField all) {
        Head head = head(message, all);
        JsonField content = head.content();
        if (!content.isPresent()) {
            return new Message(head.role(), List.of());
        }
        if (content.isString()) {
            return new Message(head.role(), List.of(new ContentPart.Text(content.string())));
        }
        List<ContentPart> parts = new ArrayList<>();
        for (JsonField part : head.parts()) {
            parts.add(part(part.requireObject(), head.role()));
        }
        return new Message(head.role(), parts);
    }

    /** What is no message is a mistake of {@code messages}, of which the text tells the place; parts have paths of their own. */
    private static Head head(JsonField message, JsonField all) {
        try {
            Role role = role(message.requireObject().get("role"));
            JsonField content = message.get("content");
            boolean mayBeAbsent = role == Role.ASSISTANT && !content.isPresent();
            if (!mayBeAbsent && !content.isString() && !content.isArray()) {
                throw content.invalidValue("a string or an array of content parts");
            }
            return new Head(role, content, content.isArray() ? content.elements(1, MAX_PARTS) : List.of());
        } catch (GenerationException e) {
            throw new GenerationException(e.type(), String.valueOf(e.getMessage()), all.path(), e);
        }
    }

    private static Role role(JsonField field) {
        return switch (field.string()) {
            case "system", "developer" -> Role.SYSTEM;
            case "user" -> Role.USER;
            case "assistant" -> Role.ASSISTANT;
            case "tool", "function" -> throw field.unsupported("the model cannot call tools.");
            default -> throw field.invalidValue("'system', 'developer', 'user' or 'assistant'");
        };
    }

    /** A part of the content of a message, an object. */
    static ContentPart part(JsonField part, Role role) {
        JsonField type = part.get("type");
        return switch (type.string()) {
            case "text" -> new ContentPart.Text(part.get("text").string());
            case "image_url" -> image(part.get("image_url"));
            case "refusal" -> refusal(part, role);
            case "input_audio", "audio_url", "video_url", "file" ->
                throw type.unsupported("only text and pictures are supported.");
            default -> throw type.invalidValue(PART_TYPES);
        };
    }

    private static ContentPart refusal(JsonField part, Role role) {
        if (role != Role.ASSISTANT) {
            throw part.get("type").invalidValue(PART_TYPES);
        }
        return new ContentPart.Text(part.get("refusal").string());
    }

    /** OpenAI wraps the URL in an object; a bare string is common too. */
    private static ContentPart image(JsonField image) {
        JsonField url = image.isString() ? image : image.requireObject().get("url");
        if (url.string().isEmpty()) {
            throw url.invalidValue("an http, https or data URL");
        }
        return new ContentPart.ImageRef(url.string(), url.path());
    }
}
