package io.idefics.web.tgi;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.StoppingCriteria;
import io.idefics.web.Frame;
import io.idefics.web.tgi.TokenTexts.Told;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** An answer as a stream: an event for each token, the last one with the whole text. For one subscription. */
final class AnswerStream {

    /*
     * Whether a token is the last one is known only when the answer has ended, so one that may be is held back: one that
     * completes a stop string, one that reaches the most that may be generated, and where that is open, every one.
     */

    private final GenerateRequest request;
    private final TokenTexts texts = new TokenTexts(0);
    private final List<Told> held = new ArrayList<>();
    private int sent;
    private @Nullable ChoiceEnded end;
    private boolean completed;

    private AnswerStream(GenerateRequest request) {
        this.request = request;
    }

    /** The events of an answer of one choice as they are sent; it fails where the last one is missing. */
    static Flux<Frame> frames(GenerateRequest request, Flux<GenerationEvent> events) {
        return Flux.defer(() -> {
            AnswerStream stream = new AnswerStream(request);
            // A failure must not overtake the text before it.
            return events.concatMapDelayError(event -> Flux.fromIterable(stream.next(event)))
                    .concatWith(Mono.defer(() -> stream.completed ? Mono.empty() : Mono.error(Answer.unfinished())))
                    .map(Frame::of);
        });
    }

    private List<StreamResponse> next(GenerationEvent event) {
        if (event instanceof TextDelta delta) {
            texts.append(delta.text(), delta.logprobs());
            held.addAll(texts.certain());
            return send(mayEnd() ? 1 : 0);
        }
        if (event instanceof ChoiceEnded ended) {
            end = ended;
            held.addAll(texts.rest());
            held.addAll(Answer.last(ended));
            return send(1);
        }
        return event instanceof Completed last && end != null && !held.isEmpty()
                ? List.of(last(end, last.usage().promptTokens()))
                : List.of();
    }

    private boolean mayEnd() {
        StoppingCriteria stopping = request.generation().stopping();
        return sent + held.size() >= stopping.maxTokens().orElse(0)
                || stopping.stop().stream().anyMatch(texts::endsWith);
    }

    /** Sends the tokens that are held back except the last ones. */
    private List<StreamResponse> send(int kept) {
        List<StreamResponse> responses = new ArrayList<>();
        while (held.size() > kept) {
            Told told = held.remove(0);
            responses.add(new StreamResponse(++sent, told.token(), told.top(), null, null));
        }
        return responses;
    }

    private StreamResponse last(ChoiceEnded ended, int inputLength) {
        completed = true;
        Told told = held.remove(0);
        StreamResponse.Details details = request.details()
                ? new StreamResponse.Details(
                        Answer.name(ended.reason()), ended.tokens(), Answer.seed(request, 0), inputLength)
                : null;
        String text = (request.fullText() ? request.inputs() : "") + texts.text();
        return new StreamResponse(++sent, told.token(), told.top(), text, details);
    }
}
