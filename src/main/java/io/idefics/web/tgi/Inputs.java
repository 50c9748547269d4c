package io.idefics.web.tgi;

import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.web.JsonField;
import java.util.ArrayList;
import java.util.List;

/**
 * The {@code inputs} of a request: a raw prompt in which pictures are written as {@code ![](URL)}, with an http, https or
 * data URL.
 *
 * @param text the whole
 * @param pieces its texts and pictures in their order, without gaps
 */
record Inputs(String text, List<Piece> pieces) {

    private static final String OPEN = "![](";

    /** How far the closing parenthesis of a URL is looked for that has parentheses of its own. */
    private static final int MAX_BALANCED = 8192;

    /**
     * A text or a picture.
     *
     * @param start where it begins in the whole, in UTF-16 units
     * @param end where it ends
     * @param isPicture whether it is a picture, with the brackets around its URL
     */
    record Piece(int start, int end, boolean isPicture) {}

    Inputs {
        pieces = List.copyOf(pieces);
    }

    /** Takes a prompt apart in linear time. What is not closed is text. */
    static Inputs read(JsonField field, int maxImages) {
        String text = field.string();
        if (text.isEmpty()) {
            throw new GenerationException(ErrorType.INVALID_VALUE, "`inputs` cannot be empty", field.path());
        }
        List<Piece> pieces = new ArrayList<>();
        int pictures = 0;
        int done = 0;
        for (int open = text.indexOf(OPEN); open >= 0; open = text.indexOf(OPEN, done)) {
            int close = close(text, open + OPEN.length());
            if (close < 0) {
                break;
            }
            requireUrl(text, open + OPEN.length(), close, field.path());
            if (++pictures > maxImages) {
                throw new GenerationException(
                        ErrorType.INVALID_VALUE,
                        field.path() + " has more than " + maxImages + " pictures, the most it may have.",
                        field.path());
            }
            if (open > done) {
                pieces.add(new Piece(done, open, false));
            }
            pieces.add(new Piece(open, close + 1, true));
            done = close + 1;
        }
        if (done < text.length()) {
            pieces.add(new Piece(done, text.length(), false));
        }
        return new Inputs(text, pieces);
    }

    /** A text without pictures, whatever it says. */
    static Inputs plain(String text) {
        return new Inputs(text, text.isEmpty() ? List.of() : List.of(new Piece(0, text.length(), false)));
    }

    /** The texts as they are and the pictures by their URLs. */
    List<ContentPart> parts(String param) {
        return pieces.stream()
                .<ContentPart>map(piece -> piece.isPicture()
                        ? new ContentPart.ImageRef(
                                text.substring(piece.start() + OPEN.length(), piece.end() - 1), param)
                        : new ContentPart.Text(text.substring(piece.start(), piece.end())))
                .toList();
    }

    /**
     * Where the parenthesis is that closes a URL: the one that balances it, as long as it has no white space, else the
     * first one. Base64 has no parentheses.
     */
    private static int close(String text, int start) {
        int end = text.startsWith("data:", start) ? start : Math.min(text.length(), start + MAX_BALANCED);
        int depth = 0;
        for (int i = start; i < end && text.charAt(i) > ' '; i++) {
            if (text.charAt(i) == '(') {
                depth++;
            } else if (text.charAt(i) == ')' && depth-- == 0) {
                return i;
            }
        }
        return text.indexOf(')', start);
    }

    private static void requireUrl(String text, int start, int end, String param) {
        if (!text.startsWith("http://", start)
                && !text.startsWith("https://", start)
                && !text.startsWith("data:", start)) {
            throw new GenerationException(
                    ErrorType.INVALID_IMAGE_URL,
                    param + " has a picture '" + JsonField.shorten(text.substring(start, end))
                            + "' but pictures must begin with http://, https:// or data:.",
                    param);
        }
    }
}
