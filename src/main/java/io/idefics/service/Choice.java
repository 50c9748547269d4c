package io.idefics.service;

import io.idefics.engine.SequenceEvent;
import io.idefics.engine.TokenLogprobs;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.TokenLogprob;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** Turns the tokens of one choice of an answer into events. Not thread-safe. */
final class Choice {

    /*
     * Text comes later than its tokens: half characters and what may become a stop string are held back. So a token's
     * log-probability waits until a character from where its text begins is given out. Tokens of a stop string, which is
     * not given out, are never told, and neither is the token that ends the turn: the told tokens make up the text.
     */

    /** A token that waits, and how many characters there are before its text. */
    private record Untold(int start, TokenLogprob logprob) {}

    private final int index;
    private final TokenTexts tokenTexts;
    private final Ending ending;
    private final boolean tellsLogprobs;
    private final int offset;
    private final TextStream text;
    private final Queue<Untold> untold = new ArrayDeque<>();
    private int given;
    private int tokens;
    private int cachedTokens;
    private List<TokenLogprobs> promptLogprobs = List.of();
    private double logprobSum;
    private @Nullable String stop;
    private @Nullable TokenLogprob end;
    private boolean ended;

    /**
     * @param index which of the choices this is
     * @param text the text of the choice, still empty
     * @param tellsLogprobs whether log-probabilities are told where the tokens bring them
     * @param offset how many code points are told before the text
     */
    Choice(int index, TokenTexts tokenTexts, Ending ending, TextStream text, boolean tellsLogprobs, int offset) {
        this.index = index;
        this.tokenTexts = tokenTexts;
        this.ending = ending;
        this.text = text;
        this.tellsLogprobs = tellsLogprobs;
        this.offset = offset;
    }

    /** What the next event of the sequence makes certain; the end only where a stop string is complete. */
    List<GenerationEvent> append(SequenceEvent event) {
        if (event instanceof SequenceEvent.Prefilled prefilled) {
            cachedTokens = prefilled.cachedTokens();
            promptLogprobs = prefilled.promptLogprobs();
            return List.of();
        }
        SequenceEvent.Token token = (SequenceEvent.Token) event;
        tokens++;
        TokenLogprobs logprobs = token.logprobs();
        logprobSum += logprobs == null ? 0 : logprobs.logprob();
        if (ending.ids().contains(token.id())) {
            return end(token);
        }
        List<GenerationEvent> events = give(token);
        if (text.stopped()) {
            events.add(new ChoiceEnded(index, FinishReason.STOP_STRING, text.reached(), tokens, null));
        }
        return events;
    }

    /** The rest, when no more tokens come. */
    List<GenerationEvent> finish() {
        String rest = text.finish();
        List<GenerationEvent> events = deltas(rest, !text.stopped());
        if (text.stopped()) {
            events.add(new ChoiceEnded(index, FinishReason.STOP_STRING, text.reached(), tokens, null));
        } else {
            FinishReason reason =
                    !ended ? FinishReason.LENGTH : stop != null ? FinishReason.STOP_STRING : FinishReason.END_TOKEN;
            events.add(new ChoiceEnded(index, reason, stop, tokens, end));
        }
        return events;
    }

    /** How many tokens were generated. */
    int tokens() {
        return tokens;
    }

    /** How many tokens of the prompt were in the cache before. */
    int cachedTokens() {
        return cachedTokens;
    }

    /** How likely the tokens of the prompt were, once the prompt was run; empty unless asked for. */
    List<TokenLogprobs> promptLogprobs() {
        return promptLogprobs;
    }

    /** The mean log-probability of the tokens so far, where they bring theirs. */
    double meanLogprob() {
        return logprobSum / Math.max(1, tokens);
    }

    private List<GenerationEvent> end(SequenceEvent.Token token) {
        ended = true;
        stop = ending.names().get(token.id());
        if (ending.isText() && tokenTexts.hasText(token.id())) {
            return give(token);
        }
        TokenLogprobs logprobs = token.logprobs();
        if (tellsLogprobs && logprobs != null) {
            end = tokenTexts.logprob(token.id(), logprobs, offset + text.decodedCodePoints());
        }
        return List.of();
    }

    private List<GenerationEvent> give(SequenceEvent.Token token) {
        int before = text.decoded();
        int beforeCodePoints = text.decodedCodePoints();
        String piece = text.append(token.id());
        TokenLogprobs logprobs = token.logprobs();
        if (tellsLogprobs && logprobs != null) {
            String own = tokenTexts.text(token.id());
            int start = Math.max(before, text.decoded() - own.length());
            int startCodePoints =
                    Math.max(beforeCodePoints, text.decodedCodePoints() - own.codePointCount(0, own.length()));
            untold.add(new Untold(start, tokenTexts.logprob(token.id(), logprobs, offset + startCodePoints)));
        }
        return deltas(piece, false);
    }

    private List<GenerationEvent> deltas(String piece, boolean tellAll) {
        given += piece.length();
        List<TokenLogprob> told = new ArrayList<>();
        for (Untold next = untold.peek(); next != null && (tellAll || next.start < given); next = untold.peek()) {
            told.add(next.logprob);
            untold.remove();
        }
        List<GenerationEvent> events = new ArrayList<>();
        if (!piece.isEmpty() || !told.isEmpty()) {
            events.add(new TextDelta(index, piece, told));
        }
        return events;
    }
}
