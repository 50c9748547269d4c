package io.idefics.web.anthropic;

import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import io.idefics.web.JsonField;
import io.idefics.web.PromptLimits;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The {@code system} and the {@code messages} of a request, after Anthropic's {@code MessageParam}. */
final class ConversationReader {

    static final int MAX_MESSAGES = 1_024;
    static final int MAX_BLOCKS = 256;

    private static final Set<String> MEDIA_TYPES = Set.of("image/jpeg", "image/png", "image/gif", "image/webp");

    private final PromptLimits limits;

    ConversationReader(PromptLimits limits) {
        this.limits = limits;
    }

    /** The conversation; a last message of the assistant is what its answer goes on from. */
    Prompt.Conversation read(JsonField root) {
        List<Message> conversation = new ArrayList<>();
        JsonField system = root.get("system");
        if (system.isPresent()) {
            conversation.add(new Message(Role.SYSTEM, system(system)));
        }
        JsonField messages = root.get("messages");
        Role last = Role.SYSTEM;
        for (JsonField message : messages.elements(1, MAX_MESSAGES)) {
            last = role(message.requireObject().get("role"));
            conversation.add(new Message(last, content(message.get("content"))));
        }
        if (last == Role.SYSTEM) {
            JsonField role = messages.elements(1, MAX_MESSAGES)
                    .get(messages.node().size() - 1)
                    .get("role");
            throw role.invalidValue("'user' or 'assistant' in the last message");
        }
        limits.check(conversation, messages.path());
        return new Prompt.Conversation(conversation, last == Role.ASSISTANT);
    }

    private static Role role(JsonField field) {
        return switch (field.string()) {
            case "user" -> Role.USER;
            case "assistant" -> Role.ASSISTANT;
            case "system" -> Role.SYSTEM;
            default -> throw field.invalidValue("'user', 'assistant' or 'system'");
        };
    }

    private static List<ContentPart> system(JsonField system) {
        List<ContentPart> content = content(system);
        for (int i = 0; i < content.size(); i++) {
            if (!(content.get(i) instanceof ContentPart.Text)) {
                JsonField block = system.elements(0, MAX_BLOCKS).get(i);
                throw block.get("type").invalidValue("'text'");
            }
        }
        return content;
    }

    private static List<ContentPart> content(JsonField content) {
        if (content.isString()) {
            return List.of(new ContentPart.Text(content.string()));
        }
        if (!content.isArray()) {
            throw content.invalidValue("a string or an array of content blocks");
        }
        List<ContentPart> parts = new ArrayList<>();
        for (JsonField block : content.elements(0, MAX_BLOCKS)) {
            parts.add(block(block.requireObject()));
        }
        return parts;
    }

    private static ContentPart block(JsonField block) {
        JsonField type = block.get("type");
        String name = type.string();
        return switch (name) {
            case "text" -> new ContentPart.Text(block.get("text").string());
            case "image" -> image(block.get("source"));
            case "thinking", "redacted_thinking" -> throw type.unsupported("the model does not think aloud.");
            case "document", "search_result", "container_upload" ->
                throw type.unsupported("only text and pictures are supported.");
            default -> {
                if (name.endsWith("tool_use") || name.endsWith("tool_result")) {
                    throw type.unsupported("the model cannot call tools.");
                }
                throw type.invalidValue("'text' or 'image'");
            }
        };
    }

    private static ContentPart image(JsonField source) {
        JsonField type = source.requireObject().get("type");
        return switch (type.string()) {
            case "base64" -> base64(source);
            case "url" ->
                new ContentPart.ImageRef(
                        filled(source.get("url"), "an http or https URL"),
                        source.get("url").path());
            case "file" -> throw type.unsupported("files are not stored; use 'base64' or 'url'.");
            default -> throw type.invalidValue("'base64' or 'url'");
        };
    }

    private static ContentPart base64(JsonField source) {
        JsonField mediaType = source.get("media_type");
        if (!MEDIA_TYPES.contains(mediaType.string())) {
            throw mediaType.invalidValue("'image/jpeg', 'image/png', 'image/gif' or 'image/webp'");
        }
        JsonField data = source.get("data");
        String url = "data:" + mediaType.string() + ";base64," + filled(data, "a picture in base64");
        return new ContentPart.ImageRef(url, data.path());
    }

    private static String filled(JsonField field, String expected) {
        if (field.string().isEmpty()) {
            throw field.invalidValue(expected);
        }
        return field.string();
    }
}
