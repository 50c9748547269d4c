package io.idefics.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Text to ids and back with the tokenizer of a checkpoint: the LLaMA BPE with byte fallback and the added tokens of
 * IDEFICS, computed by the Hugging Face tokenizers library. Safe for use by several threads.
 *
 * <p>Unpaired surrogates in the input, which no UTF-8 can express, become U+FFFD.
 */
public final class IdeficsTokenizer implements AutoCloseable {

    /** The most characters (UTF-16 units) of a text to encode. */
    public static final int MAX_TEXT_LENGTH = 1 << 20;

    private static final Map<String, String> OPTIONS = Map.of(
            "addSpecialTokens", "false",
            "truncation", "do_not_truncate",
            "padding", "do_not_pad",
            "modelMaxLength", String.valueOf(Integer.MAX_VALUE));

    static {
        // The library would otherwise download a CUDA build of itself on a machine with a GPU, and report its use.
        setUnlessGiven("RUST_FLAVOR", "cpu");
        setUnlessGiven("OPT_OUT_TRACKING", "true");
    }

    private final HuggingFaceTokenizer tokenizer;
    private final HuggingFaceTokenizer plainTokenizer;
    private final Vocabulary vocabulary;
    private final SpecialTokens specialTokens;

    /** Held for reading while the native tokenizers are in use, for writing to free them. */
    private final ReadWriteLock lock = new ReentrantReadWriteLock();

    private boolean closed;

    private IdeficsTokenizer(
            HuggingFaceTokenizer tokenizer,
            HuggingFaceTokenizer plainTokenizer,
            Vocabulary vocabulary,
            SpecialTokens specialTokens) {
        this.tokenizer = tokenizer;
        this.plainTokenizer = plainTokenizer;
        this.vocabulary = vocabulary;
        this.specialTokens = specialTokens;
    }

    /**
     * Loads a {@code tokenizer.json}.
     *
     * @throws TokenizerException if the file is missing, corrupt, too large, of another kind, or lacks a required
     *     special token
     */
    public static IdeficsTokenizer load(Path tokenizerJson) {
        TokenizerFile file = TokenizerFile.read(tokenizerJson);
        SpecialTokens specialTokens = specialTokens(file);
        HuggingFaceTokenizer tokenizer = create(file, file.json());
        try {
            checkIds(file, tokenizer);
            return new IdeficsTokenizer(
                    tokenizer, create(file, file.jsonWithoutAddedTokens()), file.vocabulary(), specialTokens);
        } catch (RuntimeException e) {
            tokenizer.close();
            throw e;
        }
    }

    /**
     * The ids of a text as the reference gives them with {@code add_special_tokens=False}: special tokens written in
     * the text are recognised.
     *
     * @throws IllegalArgumentException if the text is longer than {@link #MAX_TEXT_LENGTH}
     */
    public int[] encode(String text) {
        return encode(tokenizer, text);
    }

    /**
     * The ids of a text in which nothing is special: {@code <image>} is seven characters. Equal to {@link #encode} for
     * a text without special tokens.
     *
     * @throws IllegalArgumentException if the text is longer than {@link #MAX_TEXT_LENGTH}
     */
    public int[] encodePlain(String text) {
        return encode(plainTokenizer, text);
    }

    /** A lower bound of the number of ids that {@link #encodePlain} gives, known without encoding. */
    public int leastTokens(String text) {
        int longest = vocabulary.longestPiece();
        return (text.length() + longest - 1) / longest;
    }

    /** The text of the ids; ids without a token are skipped, special tokens if asked. */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        long[] longs = Arrays.stream(ids).asLongStream().toArray();
        return whileOpen(() -> tokenizer.decode(longs, skipSpecialTokens));
    }

    /** A decoder for the ids of one answer, special tokens skipped. */
    public IncrementalDecoder incrementalDecoder() {
        return new IncrementalDecoder(vocabulary, false);
    }

    /** A decoder for the ids of an answer that goes on from a text: a leading space stays. */
    public IncrementalDecoder continuingDecoder() {
        return new IncrementalDecoder(vocabulary, true);
    }

    /** The id of the special token of that name. */
    public OptionalInt specialId(String name) {
        return vocabulary.specialId(name);
    }

    /** What an id stands for by itself; a leading space is part of it. */
    public TokenPiece piece(int id) {
        return vocabulary.pieceOf(id);
    }

    public SpecialTokens specialTokens() {
        return specialTokens;
    }

    /** The number of tokens, added ones included. */
    public int vocabularySize() {
        return vocabulary.size();
    }

    /** The largest id of a token; the model needs at least one row more. */
    public int maxId() {
        return vocabulary.maxId();
    }

    /** Whether {@link #encode} could find an added token in the text. */
    public boolean containsSpecialToken(String text) {
        return vocabulary.addedTokens().stream().anyMatch(text::contains);
    }

    /** Frees the native memory; later calls fail with IllegalStateException. */
    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                tokenizer.close();
                plainTokenizer.close();
            }
        } finally {
            lock.writeLock().unlock();
        }
    }

    private int[] encode(HuggingFaceTokenizer encoder, String text) {
        if (text.isEmpty()) {
            return new int[0];
        }
        if (text.length() > MAX_TEXT_LENGTH) {
            throw new IllegalArgumentException(
                    "The text has " + text.length() + " characters, more than " + MAX_TEXT_LENGTH);
        }
        String wellFormed = wellFormed(text);
        return Arrays.stream(whileOpen(() -> ids(encoder, wellFormed)))
                .mapToInt(Math::toIntExact)
                .toArray();
    }

    /**
     * The ids alone: HuggingFaceTokenizer.encode copies a string and a span for each token to the heap as well, and the
     * native code ends the process where that fails for lack of memory.
     */
    private static long[] ids(HuggingFaceTokenizer encoder, String text) {
        long encoding = TokenizersLibrary.LIB.encode(encoder.getHandle(), text, false);
        try {
            return TokenizersLibrary.LIB.getTokenIds(encoding);
        } finally {
            TokenizersLibrary.LIB.deleteEncoding(encoding);
        }
    }

    private <T> T whileOpen(Supplier<T> action) {
        lock.readLock().lock();
        try {
            if (closed) {
                throw new IllegalStateException("the tokenizer is closed");
            }
            return action.get();
        } finally {
            lock.readLock().unlock();
        }
    }

    private static SpecialTokens specialTokens(TokenizerFile file) {
        Function<String, Integer> required = content -> {
            OptionalInt id = file.vocabulary().addedId(content);
            return id.orElseThrow(() -> new TokenizerException(file.path() + ": added_tokens has no " + content));
        };
        return new SpecialTokens(
                required.apply(SpecialTokens.BOS),
                required.apply(SpecialTokens.EOS),
                required.apply(SpecialTokens.PAD),
                required.apply(SpecialTokens.FAKE_TOKEN_AROUND_IMAGE),
                required.apply(SpecialTokens.IMAGE),
                file.vocabulary().addedId(SpecialTokens.END_OF_UTTERANCE));
    }

    private static HuggingFaceTokenizer create(TokenizerFile file, String json) {
        try {
            return HuggingFaceTokenizer.newInstance(
                    new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)), OPTIONS);
        } catch (IOException | RuntimeException e) {
            throw new TokenizerException(file.path() + " is not a usable tokenizer: " + e.getMessage(), e);
        }
    }

    /** The library prefers the id of model.vocab over that of added_tokens where both name a token. */
    private static void checkIds(TokenizerFile file, HuggingFaceTokenizer tokenizer) {
        for (String content : file.vocabulary().addedTokens()) {
            long declared = file.vocabulary().addedId(content).orElseThrow();
            long[] ids = ids(tokenizer, content);
            if (ids.length != 1 || ids[0] != declared) {
                throw new TokenizerException(file.path() + ": " + content + " is declared as id " + declared
                        + " but encodes to " + Arrays.toString(ids));
            }
        }
    }

    private static String wellFormed(String text) {
        int[] codePoints = text.codePoints()
                .map(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 0xFFFD : c)
                .toArray();
        return new String(codePoints, 0, codePoints.length);
    }

    private static void setUnlessGiven(String property, String value) {
        if (System.getenv(property) == null && System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }
}
