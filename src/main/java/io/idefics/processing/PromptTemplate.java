package io.idefics.processing;

import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import java.util.ArrayList;
import java.util.List;

/**
 * Lays a conversation out as the dialogue that the instruct models were trained on:
 *
 * <pre>{@code
 * User: What is this?<picture><end_of_utterance>
 * Assistant: A dog.<end_of_utterance>
 * User:<picture>And this?<end_of_utterance>
 * Assistant:
 * }</pre>
 *
 * <ul>
 *   <li>One space goes before a text, none after a picture; spaces around a text are dropped, empty texts too.
 *   <li>A system message is plain text on lines of its own, wherever it stands; it does not end a turn's line.
 *   <li>Adjacent messages of one role are one turn (or one system text).
 *   <li>The last message must be the user's, as the answer is the assistant's turn, or the assistant's, if the answer
 *       goes on from it.
 *   <li>Pictures belong to the user's messages only.
 *   <li>A model without {@code <end_of_utterance>} gets the same layout without it.
 * </ul>
 */
public final class PromptTemplate {

    private final boolean endOfUtterance;

    /**
     * @param endOfUtterance whether the model has the token {@code <end_of_utterance>}
     */
    public PromptTemplate(boolean endOfUtterance) {
        this.endOfUtterance = endOfUtterance;
    }

    /**
     * The prompt of a conversation, for {@link IdeficsProcessor#prepare}.
     *
     * @param continueFinalMessage whether the answer goes on from the last message, which must then be the assistant's
     * @throws GenerationException of type INVALID_VALUE if there is no message, the last one has the wrong speaker, or
     *     another speaker than the user has a picture
     */
    public List<PromptItem> items(List<Message> messages, boolean continueFinalMessage) {
        requireLast(messages, continueFinalMessage ? Role.ASSISTANT : Role.USER);
        Layout layout = new Layout();
        for (int i = 0; i < messages.size(); i++) {
            Message message = messages.get(i);
            if (i == 0 || messages.get(i - 1).role() != message.role()) {
                layout.beginTurn(message.role());
            }
            for (ContentPart part : message.content()) {
                if (part instanceof ContentPart.Text text) {
                    layout.text(text.text());
                } else if (part instanceof ContentPart.ImageRef image) {
                    requireUser(message.role(), image);
                    layout.image();
                }
            }
            if (continueFinalMessage && i == messages.size() - 1) {
                return layout.items();
            }
            if (i == messages.size() - 1 || messages.get(i + 1).role() != message.role()) {
                layout.endTurn(message.role());
            }
        }
        layout.beginTurn(Role.ASSISTANT);
        return layout.items();
    }

    private static void requireLast(List<Message> messages, Role role) {
        if (messages.isEmpty()) {
            throw new GenerationException(ErrorType.INVALID_VALUE, "At least one message is required.", "messages");
        }
        int last = messages.size() - 1;
        if (messages.get(last).role() != role) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    "The last message must have the role '" + name(role) + "', not '"
                            + name(messages.get(last).role())
                            + (role == Role.USER ? "', unless continue_final_message is true." : "'."),
                    "messages[" + last + "].role");
        }
    }

    private static void requireUser(Role role, ContentPart.ImageRef image) {
        if (role != Role.USER) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    "Only messages of the role 'user' may contain images, not those of '" + name(role) + "'.",
                    image.param());
        }
    }

    private static String name(Role role) {
        return switch (role) {
            case SYSTEM -> "system";
            case USER -> "user";
            case ASSISTANT -> "assistant";
        };
    }

    /** The prompt as far as it is written: finished items and the text that is still growing. */
    private final class Layout {

        private final List<PromptItem> items = new ArrayList<>();
        private final StringBuilder line = new StringBuilder();
        private boolean spaceBeforeText;

        void beginTurn(Role role) {
            if (!items.isEmpty() || !line.isEmpty()) {
                line.append('\n');
            }
            switch (role) {
                case SYSTEM -> {}
                case USER -> line.append("User:");
                case ASSISTANT -> line.append("Assistant:");
            }
            spaceBeforeText = role != Role.SYSTEM;
        }

        void text(String text) {
            String stripped = IdeficsProcessor.strip(text);
            if (!stripped.isEmpty()) {
                line.append(spaceBeforeText ? " " : "").append(stripped);
                spaceBeforeText = true;
            }
        }

        void image() {
            flush();
            items.add(new PromptItem.Image());
            spaceBeforeText = false;
        }

        void endTurn(Role role) {
            if (endOfUtterance && role != Role.SYSTEM) {
                flush();
                items.add(new PromptItem.EndOfUtterance());
            }
        }

        List<PromptItem> items() {
            flush();
            return List.copyOf(items);
        }

        private void flush() {
            if (!line.isEmpty()) {
                items.add(new PromptItem.Text(line.toString()));
                line.setLength(0);
            }
        }
    }
}
