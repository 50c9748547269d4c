package io.idefics.generation;

import java.util.List;
import java.util.OptionalInt;

/** What the model is to go on from. */
public sealed interface Prompt {

    /** The pictures in prompt order. */
    List<ContentPart.ImageRef> images();

    /**
     * A conversation, laid out as the dialogue that the instruct models know.
     *
     * @param messages the conversation so far, at least one message
     * @param continueFinalMessage whether the answer goes on from the last message, which is the assistant's, rather than
     *     being a turn of its own
     */
    record Conversation(List<Message> messages, boolean continueFinalMessage) implements Prompt {

        public Conversation {
            messages = List.copyOf(messages);
        }

        @Override
        public List<ContentPart.ImageRef> images() {
            return messages.stream()
                    .flatMap(message -> message.content().stream())
                    .filter(ContentPart.ImageRef.class::isInstance)
                    .map(ContentPart.ImageRef.class::cast)
                    .toList();
        }
    }

    /**
     * Texts and pictures as they are, in the way of the reference processor: after the beginning-of-sequence token,
     * without any layout, and with special tokens where the texts name them.
     *
     * @param parts at least one
     * @param addEndOfUtteranceToken whether the end-of-utterance token goes between two texts that follow each other
     * @param truncateTo how many of the last tokens are kept; empty keeps all. Pictures whose token is cut off go too
     * @param param the path of the prompt in the request, for error messages
     */
    record Interleaved(List<ContentPart> parts, boolean addEndOfUtteranceToken, OptionalInt truncateTo, String param)
            implements Prompt {

        public Interleaved {
            parts = List.copyOf(parts);
        }

        @Override
        public List<ContentPart.ImageRef> images() {
            return parts.stream()
                    .filter(ContentPart.ImageRef.class::isInstance)
                    .map(ContentPart.ImageRef.class::cast)
                    .toList();
        }
    }

    /**
     * Token ids as they are; nothing is put before them.
     *
     * @param ids at least one
     * @param param the path of the prompt in the request, for error messages
     */
    record TokenIds(List<Integer> ids, String param) implements Prompt {

        public TokenIds {
            ids = List.copyOf(ids);
        }

        @Override
        public List<ContentPart.ImageRef> images() {
            return List.of();
        }
    }
}
