package io.idefics.bench;

import io.idefics.generation.Message;
import java.util.List;

/**
 * What one client says.
 *
 * @param opening the messages of the first request: the system prompt, if there is one, and the first user message
 * @param followUps the user messages of the later turns, in order
 */
record Conversation(List<Message> opening, List<Message> followUps) {

    Conversation {
        opening = List.copyOf(opening);
        followUps = List.copyOf(followUps);
    }
}
