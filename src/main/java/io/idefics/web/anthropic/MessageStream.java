package io.idefics.web.anthropic;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.web.Frame;
import io.idefics.web.SingleAnswer;
import io.idefics.web.anthropic.MessageObject.MessageUsage;
import io.idefics.web.anthropic.MessageObject.TextBlock;
import java.util.List;
import reactor.core.publisher.Flux;

/** One message as a stream of events: the message and its text begin, pieces of text, and how both ended. */
final class MessageStream {

    private final MessageParts parts;
    private final SingleAnswer answer = new SingleAnswer();

    MessageStream(MessageParts parts) {
        this.parts = parts;
    }

    /** The frames, none before the first event; for one subscription. */
    Flux<Frame> frames(Flux<GenerationEvent> events) {
        return answer.watch(events).switchOnFirst((first, all) -> {
            // A failure must not overtake the text before it.
            Flux<MessageEvent> written = all.concatMapDelayError(event -> Flux.fromIterable(eventsOf(event)));
            return (first.hasValue() ? written.startWith(opening()) : written)
                    .map(event -> new Frame(event.type(), event));
        });
    }

    private List<MessageEvent> opening() {
        return List.of(
                new MessageEvent.Start("message_start", parts.begun()),
                new MessageEvent.BlockStart("content_block_start", 0, TextBlock.of("")),
                new MessageEvent.Bare("ping"));
    }

    private List<MessageEvent> eventsOf(GenerationEvent event) {
        if (event instanceof TextDelta delta && !delta.text().isEmpty()) {
            TextBlock piece = new TextBlock("text_delta", delta.text());
            return List.of(new MessageEvent.BlockDelta("content_block_delta", 0, piece));
        }
        return event instanceof Completed ? closing() : List.of();
    }

    private List<MessageEvent> closing() {
        MessageEvent.Ending ending = new MessageEvent.Ending(
                parts.stopReason(answer.end()), answer.end().stop());
        return List.of(
                new MessageEvent.BlockStop("content_block_stop", 0),
                new MessageEvent.Delta("message_delta", ending, MessageUsage.of(answer.usage())),
                new MessageEvent.Bare("message_stop"));
    }
}
