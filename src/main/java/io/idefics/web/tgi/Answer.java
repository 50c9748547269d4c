package io.idefics.web.tgi;

import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.PromptRead;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.Usage;
import io.idefics.web.tgi.GenerateResponse.PrefillToken;
import io.idefics.web.tgi.TokenTexts.Told;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A whole answer: what was generated, the likeliest sequence first.
 *
 * @param prefill the prompt, where that was asked for
 * @param sequences at least one
 * @param usage what it cost
 */
record Answer(List<PrefillToken> prefill, List<Sequence> sequences, Usage usage) {

    /** By the mean log-probability of the tokens. */
    private static final Comparator<Sequence> LIKELIEST_FIRST =
            Comparator.comparingDouble(sequence -> -sequence.meanLogprob());

    /**
     * One of the texts that were generated.
     *
     * @param text its text
     * @param tokens its tokens; empty unless asked for
     * @param end how it ended
     * @param seed the seed by which its tokens were drawn; null where none were
     */
    record Sequence(String text, List<Told> tokens, ChoiceEnded end, @Nullable Long seed) {

        double meanLogprob() {
            return tokens.stream()
                    .mapToDouble(told -> told.logprob().chosen().logprob())
                    .average()
                    .orElse(Double.NEGATIVE_INFINITY);
        }
    }

    /**
     * Folds the events of an answer.
     *
     * @throws GenerationException of type INTERNAL if some are missing
     */
    static Answer of(GenerateRequest request, List<GenerationEvent> events) {
        if (events.isEmpty() || !(events.get(events.size() - 1) instanceof Completed completed)) {
            throw unfinished();
        }
        PromptRead prompt = events.get(0) instanceof PromptRead read ? read : null;
        int offset = prompt == null
                ? 0
                : prompt.text().codePointCount(0, prompt.text().length());
        List<Sequence> sequences = new ArrayList<>();
        for (int choice = 0; choice < request.generation().output().choices(); choice++) {
            sequences.add(sequence(choice, offset, seed(request, choice), events));
        }
        sequences.sort(LIKELIEST_FIRST);
        return new Answer(prompt == null ? List.of() : prefill(prompt), sequences, completed.usage());
    }

    /** The answer as it is sent. */
    GenerateResponse response(GenerateRequest request) {
        String before = request.fullText() ? request.inputs() : "";
        Sequence best = sequences.get(0);
        if (!request.details()) {
            return new GenerateResponse(before + best.text(), null);
        }
        boolean tellsTop = request.generation().output().topLogprobs() > 0;
        List<GenerateResponse.Sequence> others = sequences.stream()
                .skip(1)
                .map(sequence -> new GenerateResponse.Sequence(
                        before + sequence.text(),
                        name(sequence.end().reason()),
                        sequence.end().tokens(),
                        sequence.seed(),
                        prefill,
                        tokens(sequence),
                        top(sequence, tellsTop)))
                .toList();
        return new GenerateResponse(
                before + best.text(),
                new GenerateResponse.Details(
                        name(best.end().reason()),
                        best.end().tokens(),
                        best.seed(),
                        prefill,
                        tokens(best),
                        others.isEmpty() ? null : others,
                        top(best, tellsTop)));
    }

    /** The name of an end. */
    static String name(FinishReason reason) {
        return switch (reason) {
            case END_TOKEN -> "eos_token";
            case STOP_STRING -> "stop_sequence";
            case LENGTH -> "length";
        };
    }

    /** The seed by which the tokens of a choice are drawn; null where none are. */
    static @Nullable Long seed(GenerateRequest request, int choice) {
        OptionalLong seed = request.generation().sampling().forChoice(choice).seed();
        return seed.isPresent() ? seed.getAsLong() : null;
    }

    /** The token that ended a choice, which has no text, where it is told. */
    static List<Told> last(ChoiceEnded end) {
        TokenLogprob token = end.end();
        return token == null
                ? List.of()
                : List.of(new Told(token, token.chosen().token()));
    }

    static GenerationException unfinished() {
        return new GenerationException(ErrorType.INTERNAL, "the answer ended without its last event", null);
    }

    private static Sequence sequence(int choice, int offset, @Nullable Long seed, List<GenerationEvent> events) {
        TokenTexts texts = new TokenTexts(offset);
        for (GenerationEvent event : events) {
            if (event instanceof TextDelta delta && delta.choice() == choice) {
                texts.append(delta.text(), delta.logprobs());
            } else if (event instanceof ChoiceEnded end && end.choice() == choice) {
                List<Told> tokens = new ArrayList<>(texts.rest());
                tokens.addAll(last(end));
                return new Sequence(texts.text(), tokens, end, seed);
            }
        }
        throw unfinished();
    }

    private static List<PrefillToken> prefill(PromptRead prompt) {
        TokenTexts texts = new TokenTexts(0);
        texts.append(prompt.text(), prompt.logprobs());
        return texts.rest().stream()
                .map(Told::token)
                .map(token -> new PrefillToken(token.id(), token.text(), token.logprob()))
                .toList();
    }

    private static List<Token> tokens(Sequence sequence) {
        return sequence.tokens().stream().map(Told::token).toList();
    }

    private static List<List<Token>> top(Sequence sequence, boolean told) {
        return told ? sequence.tokens().stream().map(Told::top).toList() : List.of();
    }
}
