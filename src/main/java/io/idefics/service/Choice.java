package io.idefics.service;

import io.idefics.engine.SequenceEvent;
import io.idefics.engine.TokenLogprobs;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.TokenPiece;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;

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
    private final IdeficsTokenizer tokenizer;
    private final Set<Integer> stopIds;
    private final TextStream text;
    private final Queue<Untold> untold = new ArrayDeque<>();
    private int given;
    private int tokens;
    private int cachedTokens;
    private boolean ended;

    /**
     * @param index which of the choices this is
     * @param stopIds the tokens that end it
     * @param stop the strings that end it
     */
    Choice(int index, IdeficsTokenizer tokenizer, Set<Integer> stopIds, List<String> stop) {
        this.index = index;
        this.tokenizer = tokenizer;
        this.stopIds = stopIds;
        this.text = new TextStream(tokenizer.incrementalDecoder(), stop);
    }

    /** What the next event of the sequence makes certain; the end only where a stop string is complete. */
    List<GenerationEvent> append(SequenceEvent event) {
        if (event instanceof SequenceEvent.Prefilled prefilled) {
            cachedTokens = prefilled.cachedTokens();
            return List.of();
        }
        SequenceEvent.Token token = (SequenceEvent.Token) event;
        tokens++;
        if (stopIds.contains(token.id())) {
            ended = true;
            return List.of();
        }
        int before = text.decoded();
        String piece = text.append(token.id());
        TokenLogprobs logprobs = token.logprobs();
        if (logprobs != null) {
            int length = tokenizer.piece(token.id()).text().length();
            untold.add(new Untold(Math.max(before, text.decoded() - length), logprob(token.id(), logprobs)));
        }
        List<GenerationEvent> events = deltas(piece, false);
        if (text.stopped()) {
            events.add(new ChoiceEnded(index, FinishReason.STOP));
        }
        return events;
    }

    /** The rest, when no more tokens come. */
    List<GenerationEvent> finish() {
        String rest = text.finish();
        List<GenerationEvent> events = deltas(rest, !text.stopped());
        boolean stopped = ended || text.stopped();
        events.add(new ChoiceEnded(index, stopped ? FinishReason.STOP : FinishReason.LENGTH));
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

    private TokenLogprob logprob(int id, TokenLogprobs logprobs) {
        return new TokenLogprob(
                candidate(id, logprobs.logprob()),
                logprobs.top().stream()
                        .map(alternative -> candidate(alternative.id(), alternative.logprob()))
                        .toList());
    }

    private Candidate candidate(int id, double logprob) {
        TokenPiece piece = tokenizer.piece(id);
        byte[] bytes = piece.bytes();
        if (bytes == null) {
            return new Candidate(piece.text(), null, logprob);
        }
        List<Integer> unsigned = new ArrayList<>(bytes.length);
        for (byte b : bytes) {
            unsigned.add(Byte.toUnsignedInt(b));
        }
        return new Candidate(piece.text(), unsigned, logprob);
    }
}
