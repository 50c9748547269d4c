package io.idefics.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What each id stands for when it is read back: a piece of text, one byte of UTF-8, or nothing. Immutable. */
final class Vocabulary {

    /** The mark that the BPE vocabulary uses for a space. */
    private static final char SPACE_MARK = '\u2581';

    private static final int BYTE_TOKEN_LENGTH = "<0x00>".length();

    /** Text by id; null where no token has the id. */
    private final @Nullable String[] pieces;

    /** Byte value by id, or -1 for a token that is not a byte. */
    private final short[] bytes;

    private final boolean[] special;
    private final Map<String, Integer> added;
    private final int size;
    private final int longestPiece;

    /**
     * @param tokens id by token, of the BPE model
     * @param added id by content, of the tokens that are recognised in raw text; these win over {@code tokens}
     * @param special those of the added tokens that decoding may skip
     */
    Vocabulary(Map<String, Integer> tokens, Map<String, Integer> added, Set<String> special) {
        Map<Integer, String> byId = new HashMap<>();
        tokens.forEach((token, id) -> byId.put(id, token));
        added.forEach((token, id) -> byId.put(id, token));
        int maxId = byId.keySet().stream().mapToInt(Integer::intValue).max().orElse(-1);
        this.pieces = new String[maxId + 1];
        this.bytes = new short[maxId + 1];
        this.special = new boolean[maxId + 1];
        byId.forEach((id, token) -> {
            pieces[id] = token.replace(SPACE_MARK, ' ');
            bytes[id] = byteOf(token);
        });
        added.forEach((token, id) -> this.special[id] = special.contains(token));
        this.added = Map.copyOf(added);
        this.size = byId.size();
        this.longestPiece =
                tokens.keySet().stream().mapToInt(String::length).max().orElse(1);
    }

    /** The number of tokens, added ones included. */
    int size() {
        return size;
    }

    /** The largest id of a token. */
    int maxId() {
        return pieces.length - 1;
    }

    /** The most characters (UTF-16 units) of a token of the BPE model. */
    int longestPiece() {
        return longestPiece;
    }

    /** Contents of the added tokens. */
    Set<String> addedTokens() {
        return added.keySet();
    }

    /** The id of the added token of that content. */
    OptionalInt addedId(String content) {
        Integer id = added.get(content);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** The id of the special token of that content. */
    OptionalInt specialId(String content) {
        OptionalInt id = addedId(content);
        return id.isPresent() && special[id.getAsInt()] ? id : OptionalInt.empty();
    }

    /** The text of a token, spaces for space marks; null for special tokens and ids without a token. */
    @Nullable
    String textOf(int id) {
        return id < 0 || id >= pieces.length || special[id] ? null : pieces[id];
    }

    /** The byte that a token with {@link #textOf text} stands for, 0 to 255, or -1. */
    int byteOf(int id) {
        return bytes[id];
    }

    /** What an id stands for by itself. */
    TokenPiece pieceOf(int id) {
        String text = textOf(id);
        if (text == null) {
            return new TokenPiece(id < 0 || id >= pieces.length || pieces[id] == null ? "" : pieces[id], null);
        }
        int value = byteOf(id);
        if (value < 0) {
            return new TokenPiece(text, text.getBytes(StandardCharsets.UTF_8));
        }
        String shown = value < 0x80 ? String.valueOf((char) value) : "\\x" + Integer.toHexString(value);
        return new TokenPiece(shown, new byte[] {(byte) value});
    }

    /** Parses the form {@code <0xHH>} of a byte token. */
    private static short byteOf(String token) {
        if (token.length() != BYTE_TOKEN_LENGTH || !token.startsWith("<0x") || !token.endsWith(">")) {
            return -1;
        }
        int high = Character.digit(token.charAt(3), 16);
        int low = Character.digit(token.charAt(4), 16);
        return high < 0 || low < 0 ? -1 : (short) (high << 4 | low);
    }
}
