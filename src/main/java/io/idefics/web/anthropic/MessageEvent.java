package io.idefics.web.anthropic;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.idefics.web.anthropic.MessageObject.MessageUsage;
import io.idefics.web.anthropic.MessageObject.TextBlock;
import org.jspecify.annotations.Nullable;

/** Anthropic's {@code MessageStreamEvent}, as far as text needs it. */
sealed interface MessageEvent {

    /** The name of the event. */
    String type();

    /** The message begins. */
    record Start(String type, MessageObject message) implements MessageEvent {}

    /** The text of the message begins. */
    @JsonNaming(SnakeCaseStrategy.class)
    record BlockStart(String type, int index, TextBlock contentBlock) implements MessageEvent {}

    /** The next piece of the text. */
    record BlockDelta(String type, int index, TextBlock delta) implements MessageEvent {}

    /** The text is complete. */
    record BlockStop(String type, int index) implements MessageEvent {}

    /** How the message ended and what it cost. */
    record Delta(String type, Ending delta, MessageUsage usage) implements MessageEvent {}

    /** Why the message ended. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Ending(String stopReason, @Nullable String stopSequence) {}

    /** An event without content. */
    record Bare(String type) implements MessageEvent {}
}
