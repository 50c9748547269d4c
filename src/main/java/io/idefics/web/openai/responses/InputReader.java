package io.idefics.web.openai.responses;

import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import io.idefics.web.JsonField;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The {@code input} of a request: a text, or a conversation after OpenAI's {@code InputItem}. */
final class InputReader {

    static final int MAX_ITEMS = 1_024;
    static final int MAX_PARTS = 256;

    private static final String PART_TYPES = "'input_text', 'input_image' or 'output_text'";

    private InputReader() {}

    /** The conversation, whose last message is the user's. */
    static List<Message> read(JsonField input) {
        if (input.isString()) {
            return List.of(new Message(Role.USER, List.of(new ContentPart.Text(input.string()))));
        }
        if (!input.isArray()) {
            throw input.invalidValue("a string or an array of items");
        }
        List<Message> messages = new ArrayList<>();
        JsonField lastRole = null;
        for (JsonField item : input.elements(1, MAX_ITEMS)) {
            if (isMessage(item.requireObject())) {
                messages.add(message(item));
                lastRole = item.get("role");
            }
        }
        requireUser(lastRole, messages, input);
        return messages;
    }

    /** Reasoning of an earlier turn is no part of the conversation; calls of tools would be. */
    private static boolean isMessage(JsonField item) {
        JsonField type = item.get("type");
        if (!type.isPresent()) {
            return true;
        }
        String name = type.string();
        return switch (name) {
            case "message" -> true;
            case "reasoning" -> false;
            case "item_reference" -> throw type.unsupported("items are not stored.");
            case "compaction", "compaction_trigger" -> throw type.unsupported("conversations are not compacted.");
            default -> {
                if (name.endsWith("_call") || name.endsWith("_output") || name.startsWith("mcp_")) {
                    throw type.unsupported("the model cannot call tools.");
                }
                throw type.invalidValue("'message'");
            }
        };
    }

    private static Message message(JsonField item) {
        Role role = role(item.get("role"));
        JsonField content = item.get("content");
        if (content.isString()) {
            return new Message(role, List.of(new ContentPart.Text(content.string())));
        }
        if (!content.isArray()) {
            throw content.invalidValue("a string or an array of content parts");
        }
        List<ContentPart> parts = new ArrayList<>();
        for (JsonField part : content.elements(0, MAX_PARTS)) {
            parts.add(part(part.requireObject(), role));
        }
        return new Message(role, parts);
    }

    private static Role role(JsonField field) {
        return switch (field.string()) {
            case "system", "developer" -> Role.SYSTEM;
            case "user" -> Role.USER;
            case "assistant" -> Role.ASSISTANT;
            default -> throw field.invalidValue("'system', 'developer', 'user' or 'assistant'");
        };
    }

    private static ContentPart part(JsonField part, Role role) {
        JsonField type = part.get("type");
        return switch (type.string()) {
            case "input_text", "output_text" ->
                new ContentPart.Text(part.get("text").string());
            case "input_image" -> image(part);
            case "refusal" -> refusal(part, role);
            case "input_file", "input_audio" -> throw type.unsupported("only text and pictures are supported.");
            default -> throw type.invalidValue(PART_TYPES);
        };
    }

    private static ContentPart refusal(JsonField part, Role role) {
        if (role != Role.ASSISTANT) {
            throw part.get("type").invalidValue(PART_TYPES);
        }
        return new ContentPart.Text(part.get("refusal").string());
    }

    private static ContentPart image(JsonField part) {
        JsonField file = part.get("file_id");
        if (file.isPresent()) {
            throw file.unsupported("files are not stored; give the picture as image_url.");
        }
        JsonField url = part.get("image_url");
        if (url.string().isEmpty()) {
            throw url.invalidValue("an http, https or data URL");
        }
        return new ContentPart.ImageRef(url.string(), url.path());
    }

    private static void requireUser(@Nullable JsonField lastRole, List<Message> messages, JsonField input) {
        if (lastRole == null) {
            throw input.invalidValue("a conversation with at least one message");
        }
        if (messages.get(messages.size() - 1).role() != Role.USER) {
            throw lastRole.invalidValue("'user' in the last message, as the answer is the assistant's turn");
        }
    }
}
