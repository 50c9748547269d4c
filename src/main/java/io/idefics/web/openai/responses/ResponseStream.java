package io.idefics.web.openai.responses;

import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.web.ApiError;
import io.idefics.web.ErrorTable;
import io.idefics.web.Frame;
import io.idefics.web.SingleAnswer;
import io.idefics.web.openai.responses.ResponseObject.Logprob;
import io.idefics.web.openai.responses.ResponseObject.OutputText;
import java.util.List;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * One answer as a stream of events: the answer, its message and its text begin, pieces of text, and all three again as
 * they ended. It numbers its events and so is for one subscription.
 */
final class ResponseStream {

    private final ResponseParts parts;
    private final SingleAnswer answer = new SingleAnswer();
    private int next;

    ResponseStream(ResponseParts parts) {
        this.parts = parts;
    }

    /** The frames, none before the first event; a failure after it is told as an event, and passed on. */
    Flux<Frame> frames(Flux<GenerationEvent> events) {
        return answer.watch(events).switchOnFirst((first, all) -> {
            if (!first.hasValue()) {
                return all.thenMany(Flux.empty()); // fails
            }
            List<Frame> opening = opening();
            // A failure must not overtake the text before it.
            return all.concatMapDelayError(event -> Flux.fromIterable(framesOf(event)))
                    .startWith(opening)
                    .onErrorResume(
                            failure -> Flux.just(error(ErrorTable.of(failure))).concatWith(Mono.error(failure)));
        });
    }

    /** The last event of an answer that failed. */
    Frame failed(ApiError error) {
        return frame(new ResponseEvent.State("response.failed", next++, parts.failed(error)));
    }

    private Frame error(ApiError error) {
        ApiError.Detail detail = error.detail();
        return frame(new ResponseEvent.Failed("error", next++, detail.code(), detail.message(), detail.param()));
    }

    private List<Frame> opening() {
        ResponseObject begun = parts.begun();
        return List.of(
                frame(new ResponseEvent.State("response.created", next++, begun)),
                frame(new ResponseEvent.State("response.in_progress", next++, begun)),
                frame(new ResponseEvent.Item("response.output_item.added", next++, 0, parts.emptyMessage())),
                part("response.content_part.added", OutputText.of("", List.of())));
    }

    private List<Frame> framesOf(GenerationEvent event) {
        if (event instanceof TextDelta delta) {
            List<Logprob> logprobs = Logprob.of(delta.logprobs());
            return List.of(frame(new ResponseEvent.Delta(
                    "response.output_text.delta", next++, parts.itemId(), 0, 0, delta.text(), logprobs)));
        }
        return event instanceof Completed ? closing() : List.of();
    }

    private List<Frame> closing() {
        OutputText text = ResponseParts.text(answer);
        boolean complete = answer.end().reason() != FinishReason.LENGTH;
        return List.of(
                frame(new ResponseEvent.Done(
                        "response.output_text.done", next++, parts.itemId(), 0, 0, text.text(), text.logprobs())),
                part("response.content_part.done", text),
                frame(new ResponseEvent.Item("response.output_item.done", next++, 0, parts.message(answer))),
                frame(new ResponseEvent.State(
                        complete ? "response.completed" : "response.incomplete", next++, parts.ended(answer))));
    }

    private Frame part(String type, OutputText part) {
        return frame(new ResponseEvent.Part(type, next++, parts.itemId(), 0, 0, part));
    }

    private static Frame frame(ResponseEvent event) {
        return new Frame(event.type(), event);
    }
}
