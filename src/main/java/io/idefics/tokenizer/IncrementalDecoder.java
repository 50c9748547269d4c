package io.idefics.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Turns the ids of one answer into text, one id at a time: the pieces together are what
 * {@link IdeficsTokenizer#decode decode(ids, true)} gives for all ids at once. Not thread-safe.
 */
public final class IncrementalDecoder {

    /*
     * The reference decodes all ids together: special tokens vanish first, a maximal run of byte tokens becomes its
     * UTF-8 text or, if it is not valid as a whole, one U+FFFD for each byte, everything is joined, and one leading
     * space of the whole is dropped. So a token is certain as soon as it is known, except a byte token: a later byte
     * of the same run can still change it. Hence the only state: the bytes of the open run, and whether text has begun.
     * Each token is looked at once, so the cost is linear. A piece or a run is whole characters, so no surrogate pair
     * is ever split.
     */

    private static final String REPLACEMENT = "\uFFFD";

    private final Vocabulary vocabulary;
    private final ByteArrayOutputStream run = new ByteArrayOutputStream();
    private boolean begun;

    /** @param begun whether there is text before, so that a leading space stays */
    IncrementalDecoder(Vocabulary vocabulary, boolean begun) {
        this.vocabulary = vocabulary;
        this.begun = begun;
    }

    /** Takes the next id and returns the text that is certain now, often empty. Ids without text are skipped. */
    public String append(int id) {
        String text = vocabulary.textOf(id);
        if (text == null) {
            return "";
        }
        int value = vocabulary.byteOf(id);
        if (value >= 0) {
            run.write(value);
            return "";
        }
        return begin(run.size() == 0 ? text : endRun() + text);
    }

    /** The text still held back; empty if there is none or if it would be half a character now. Changes nothing. */
    public String pending() {
        String text = run.size() == 0 ? null : utf8(run.toByteArray());
        return text == null ? "" : withoutLeadingSpace(text);
    }

    /** Ends the answer and returns the rest of its text. */
    public String finish() {
        return run.size() == 0 ? "" : begin(endRun());
    }

    private String endRun() {
        byte[] bytes = run.toByteArray();
        run.reset();
        String text = utf8(bytes);
        return text == null ? REPLACEMENT.repeat(bytes.length) : text;
    }

    private String begin(String text) {
        String result = withoutLeadingSpace(text);
        begun = true;
        return result;
    }

    private String withoutLeadingSpace(String text) {
        return !begun && text.startsWith(" ") ? text.substring(1) : text;
    }

    private static @Nullable String utf8(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
