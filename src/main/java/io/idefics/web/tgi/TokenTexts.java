package io.idefics.web.tgi;

import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts a growing text into the texts of its tokens, which joined together are the text. Of the tokens that make up one
 * character only the last has it. Not thread-safe.
 */
final class TokenTexts {

    /**
     * A token and its text.
     *
     * @param logprob the token
     * @param text what it adds to the text; the name of a special token
     */
    record Told(TokenLogprob logprob, String text) {

        Token token() {
            return Token.of(logprob.chosen(), text);
        }

        List<Token> top() {
            return logprob.top().stream().map(Token::of).toList();
        }
    }

    /*
     * A token's text ends where that of the next one begins. Without a next one it is complete when there is as much text
     * as the token has by itself; bytes that are no character by themselves wait for the next token or the end.
     */

    private final StringBuilder text = new StringBuilder();
    private final Deque<TokenLogprob> open = new ArrayDeque<>();

    /** How much of the text has been given to tokens, in UTF-16 units and in code points. */
    private int cut;

    private int cutCodePoints;

    /** How many code points there are, those before the text included. */
    private int length;

    /** @param offset how many code points are told before the text */
    TokenTexts(int offset) {
        this.cutCodePoints = offset;
        this.length = offset;
    }

    /** Takes the next piece of the text and the tokens that begin in it. */
    void append(String piece, List<TokenLogprob> tokens) {
        text.append(piece);
        length += piece.codePointCount(0, piece.length());
        open.addAll(tokens);
    }

    /** The whole text so far. */
    String text() {
        return text.toString();
    }

    /** Whether the text ends in that. */
    boolean endsWith(String end) {
        return text.length() >= end.length() && text.indexOf(end, text.length() - end.length()) >= 0;
    }

    /** The next tokens whose texts are certain. */
    List<Told> certain() {
        return take(false);
    }

    /** All tokens that are left, when no more text comes. */
    List<Told> rest() {
        return take(true);
    }

    private List<Told> take(boolean all) {
        List<Told> told = new ArrayList<>();
        while (!open.isEmpty()) {
            TokenLogprob token = open.getFirst();
            if (open.size() == 1 && !all && !isComplete(token)) {
                break;
            }
            open.removeFirst();
            int end = open.isEmpty() ? length : open.getFirst().offset();
            boolean special = token.chosen().bytes() == null;
            told.add(new Told(token, special ? token.chosen().token() : cutTo(end)));
        }
        return told;
    }

    private boolean isComplete(TokenLogprob token) {
        Candidate chosen = token.chosen();
        return chosen.bytes() == null
                || (!isPartOfCharacter(chosen)
                        && token.offset()
                                        + chosen.token()
                                                .codePointCount(
                                                        0, chosen.token().length())
                                <= length);
    }

    private static boolean isPartOfCharacter(Candidate chosen) {
        return chosen.bytes() != null
                && chosen.bytes().size() == 1
                && chosen.bytes().get(0) >= 0x80;
    }

    private String cutTo(int codePoints) {
        int end = text.offsetByCodePoints(cut, Math.max(0, Math.min(codePoints, length) - cutCodePoints));
        cutCodePoints = Math.max(cutCodePoints, Math.min(codePoints, length));
        String piece = text.substring(cut, end);
        cut = end;
        return piece;
    }
}
