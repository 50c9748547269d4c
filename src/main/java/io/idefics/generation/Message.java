package io.idefics.generation;

import java.util.List;

/**
 * One turn of a conversation.
 *
 * @param role the speaker
 * @param content the parts in prompt order
 */
public record Message(Role role, List<ContentPart> content) {

    public Message {
        content = List.copyOf(content);
    }
}
