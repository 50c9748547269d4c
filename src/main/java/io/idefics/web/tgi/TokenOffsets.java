package io.idefics.web.tgi;

import io.idefics.service.RenderedPrompt;
import io.idefics.web.tgi.Inputs.Piece;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Finds the tokens of a prompt in what was written. Spaces that the prompt does without are passed over; a token that
 * was not written, as the one that begins each prompt, has no length. Not thread-safe.
 */
final class TokenOffsets {

    private static final Pattern BYTE = Pattern.compile("\\\\x[0-9a-f]{2}");
    private static final String IMAGE = "<image>";

    private final Inputs inputs;

    /** How many pieces are begun. */
    private int begun;

    /** The text that is looked at, in UTF-8; empty where there is none between two pictures. */
    private byte[] text = {};

    /** How many bytes there are before that text. */
    private int before;

    /** How many bytes of that text are found. */
    private int done;

    private TokenOffsets(Inputs inputs) {
        this.inputs = inputs;
        beginText();
    }

    /** The tokens with their places, in bytes of UTF-8. */
    static List<SimpleToken> of(List<RenderedPrompt.Token> tokens, Inputs inputs) {
        TokenOffsets offsets = new TokenOffsets(inputs);
        List<SimpleToken> found = new ArrayList<>(tokens.size());
        for (RenderedPrompt.Token token : tokens) {
            found.add(offsets.find(token));
        }
        return found;
    }

    private SimpleToken find(RenderedPrompt.Token token) {
        int spaces = done;
        while (spaces < text.length && text[spaces] == ' ') {
            spaces++;
        }
        for (int from : new int[] {done, spaces}) {
            int length = match(token.text(), from);
            if (length > 0) {
                done = from + length;
                String found = new String(text, from, length, StandardCharsets.UTF_8);
                return new SimpleToken(token.id(), found, before + from, before + done);
            }
        }
        if (token.special()
                && token.text().equals(IMAGE)
                && begun < inputs.pieces().size()) {
            return picture(token.id());
        }
        return new SimpleToken(token.id(), token.text(), before + done, before + done);
    }

    /** How many bytes from there on are the token, which may lack the space before its word; 0 for none. */
    private int match(String token, int from) {
        byte[] own = token.getBytes(StandardCharsets.UTF_8);
        if (startsWith(own, from)) {
            return own.length;
        }
        if (own.length > 1 && own[0] == ' ' && startsWith(Arrays.copyOfRange(own, 1, own.length), from)) {
            return own.length - 1;
        }
        boolean isByte = BYTE.matcher(token).matches() && from < text.length;
        return isByte && Integer.parseInt(token.substring(2), 16) == Byte.toUnsignedInt(text[from]) ? 1 : 0;
    }

    private boolean startsWith(byte[] wanted, int from) {
        return from + wanted.length <= text.length
                && Arrays.equals(text, from, from + wanted.length, wanted, 0, wanted.length);
    }

    private SimpleToken picture(int id) {
        before += text.length;
        String written = written(inputs.pieces().get(begun++));
        int start = before;
        before += written.getBytes(StandardCharsets.UTF_8).length;
        int stop = before;
        beginText();
        return new SimpleToken(id, written, start, stop);
    }

    private void beginText() {
        boolean isText =
                begun < inputs.pieces().size() && !inputs.pieces().get(begun).isPicture();
        text = isText ? written(inputs.pieces().get(begun++)).getBytes(StandardCharsets.UTF_8) : new byte[0];
        done = 0;
    }

    private String written(Piece piece) {
        return inputs.text().substring(piece.start(), piece.end());
    }
}
