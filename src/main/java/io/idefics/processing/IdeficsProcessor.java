package io.idefics.processing;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.processing.PromptItem.Image;
import io.idefics.processing.PromptItem.Text;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.SpecialTokens;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Prompts of texts and pictures to token ids and image indices, as {@code IdeficsProcessor} of Hugging Face
 * transformers 4.57 does it. Thread-safe.
 *
 * <p>{@link #process} is the reference to the letter: special tokens written in a text become special. {@link #prepare}
 * is for text that others wrote: only the structure of the prompt is special.
 */
public final class IdeficsProcessor {

    /** A piece of the prompt string: a special token, or text with {@code id} {@link #TEXT}. */
    private record Segment(String text, int id) {

        static final int TEXT = -1;

        boolean isText() {
            return id == TEXT;
        }
    }

    private static final String MESSAGES = "messages";

    private final IdeficsTokenizer tokenizer;
    private final SpecialTokens special;
    private final ProcessorOptions defaults;

    /**
     * @param tokenizer the tokenizer of the checkpoint, which the caller closes
     * @param addEndOfUtteranceToken the default for adjacent texts: whether {@code special_tokens_map.json} lists
     *     {@code <end_of_utterance>}
     */
    public IdeficsProcessor(IdeficsTokenizer tokenizer, boolean addEndOfUtteranceToken) {
        this.tokenizer = tokenizer;
        this.special = tokenizer.specialTokens();
        this.defaults = ProcessorOptions.verbatim(addEndOfUtteranceToken);
    }

    /** What the reference does if nothing else is asked for. */
    public ProcessorOptions defaults() {
        return defaults;
    }

    /** The string that the reference hands to the tokenizer for one prompt. */
    public String fullText(List<PromptItem> prompt, ProcessorOptions options) {
        return segments(prompt, options).stream().map(Segment::text).collect(Collectors.joining());
    }

    /** Token ids and masks of a batch of prompts, exactly those of the reference. */
    public ProcessedBatch process(List<List<PromptItem>> prompts, ProcessorOptions options) {
        List<int[]> rows = prompts.stream()
                .map(prompt -> tokenizer.encode(fullText(prompt, options)))
                .map(ids -> Arrays.copyOf(
                        ids, Math.min(ids.length, options.truncateTo().orElse(ids.length))))
                .toList();
        int length = IntStream.concat(options.padTo().stream(), rows.stream().mapToInt(row -> row.length))
                .max()
                .orElse(0);
        int imageCount =
                prompts.stream().mapToInt(IdeficsProcessor::imageCount).max().orElse(0);
        int[][] inputIds = new int[rows.size()][];
        int[][] attentionMask = new int[rows.size()][];
        int[][] imageIndex = new int[rows.size()][];
        for (int row = 0; row < rows.size(); row++) {
            int[] ids = rows.get(row);
            int padding = length - ids.length;
            inputIds[row] = new int[length];
            Arrays.fill(inputIds[row], 0, padding, special.pad());
            System.arraycopy(ids, 0, inputIds[row], padding, ids.length);
            attentionMask[row] = new int[length];
            Arrays.fill(attentionMask[row], padding, length, 1);
            imageIndex[row] = imageIndex(inputIds[row], imageCount);
        }
        return new ProcessedBatch(inputIds, attentionMask, imageIndex, Math.max(imageCount, 1));
    }

    /**
     * Ids of one prompt in which nothing that a text says is special. Without special tokens in the texts these are the
     * ids of the reference; otherwise each text between two structural tokens is encoded on its own, as plain text.
     * Nothing is added between texts or at the end.
     *
     * @param maxTokens the most ids that the prompt may have
     * @throws GenerationException of type CONTEXT_LENGTH_EXCEEDED if it has more; a text that is far too long is not
     *     even encoded
     */
    public PreparedPrompt prepare(List<PromptItem> prompt, int maxTokens) {
        List<Segment> segments = merged(segments(prompt, ProcessorOptions.verbatim(false)));
        long leastTokens = segments.stream()
                .mapToLong(s -> s.isText() ? tokenizer.leastTokens(s.text()) : 1)
                .sum();
        long textLength = segments.stream().mapToLong(s -> s.text().length()).sum();
        if (leastTokens > maxTokens || textLength > IdeficsTokenizer.MAX_TEXT_LENGTH) {
            throw tooLong("at least " + leastTokens, maxTokens, MESSAGES);
        }
        int[] inputIds = encode(segments);
        if (inputIds.length > maxTokens) {
            throw tooLong(String.valueOf(inputIds.length), maxTokens, MESSAGES);
        }
        return prepared(inputIds, 0, imageCount(prompt));
    }

    /**
     * Ids of one prompt as the reference gives them, special tokens where a text names them.
     *
     * @param addEndOfUtteranceToken whether that token goes between two texts that follow each other
     * @param truncateTo how many of the last ids are kept; pictures whose token is cut off go too
     * @param maxTokens the most ids that the prompt may have
     * @param param the path of the prompt in the request, for error messages
     * @throws GenerationException of type CONTEXT_LENGTH_EXCEEDED if it has more ids, INVALID_VALUE if the texts name the
     *     image token: which picture it stood for would be a guess
     */
    public PreparedPrompt prepareVerbatim(
            List<PromptItem> prompt,
            boolean addEndOfUtteranceToken,
            OptionalInt truncateTo,
            int maxTokens,
            String param) {
        String text = fullText(prompt, ProcessorOptions.verbatim(addEndOfUtteranceToken));
        if (text.length() > IdeficsTokenizer.MAX_TEXT_LENGTH) {
            throw tooLong("at least " + tokenizer.leastTokens(text), maxTokens, param);
        }
        int[] ids = tokenizer.encode(text);
        int imageCount = imageCount(prompt);
        int imageTokens = count(ids, special.image());
        if (imageTokens != imageCount) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    "The prompt has " + imageTokens + " image tokens for " + imageCount
                            + " pictures: texts must not contain " + SpecialTokens.IMAGE + ".",
                    param);
        }
        int cut = Math.max(0, ids.length - truncateTo.orElse(ids.length));
        int[] inputIds = Arrays.copyOfRange(ids, cut, ids.length);
        if (inputIds.length > maxTokens) {
            throw tooLong(String.valueOf(inputIds.length), maxTokens, param);
        }
        int kept = count(inputIds, special.image());
        return prepared(inputIds, imageCount - kept, kept);
    }

    /** Ids without pictures as they are. */
    public PreparedPrompt prepareIds(int[] inputIds) {
        return prepared(inputIds, 0, 0);
    }

    private PreparedPrompt prepared(int[] inputIds, int firstImage, int imageCount) {
        int imageTokens = count(inputIds, special.image()) + count(inputIds, special.fakeTokenAroundImage());
        return new PreparedPrompt(inputIds, imageIndex(inputIds, imageCount), firstImage, imageCount, imageTokens);
    }

    private static int count(int[] ids, int wanted) {
        return (int) Arrays.stream(ids).filter(id -> id == wanted).count();
    }

    private static GenerationException tooLong(String tokens, int maxTokens, String param) {
        return new GenerationException(
                ErrorType.CONTEXT_LENGTH_EXCEEDED,
                "The prompt has " + tokens + " tokens, but at most " + maxTokens + " fit.",
                param);
    }

    private int[] encode(List<Segment> segments) {
        if (segments.stream().filter(Segment::isText).noneMatch(s -> tokenizer.containsSpecialToken(s.text()))) {
            int[] ids = tokenizer.encode(segments.stream().map(Segment::text).collect(Collectors.joining()));
            if (Arrays.equals(
                    structure(Arrays.stream(ids)), structure(segments.stream().mapToInt(Segment::id)))) {
                return ids;
            }
        }
        return segments.stream()
                .flatMapToInt(s -> s.isText() ? Arrays.stream(tokenizer.encodePlain(s.text())) : IntStream.of(s.id()))
                .toArray();
    }

    /** The ids that carry the structure of a prompt, in order. */
    private int[] structure(IntStream ids) {
        return ids.filter(id -> id == special.bos()
                        || id == special.eos()
                        || id == special.image()
                        || id == special.fakeTokenAroundImage()
                        || special.endOfUtterance().equals(OptionalInt.of(id)))
                .toArray();
    }

    private List<Segment> segments(List<PromptItem> prompt, ProcessorOptions options) {
        List<Segment> segments = new ArrayList<>();
        segments.add(new Segment(SpecialTokens.BOS, special.bos()));
        boolean afterImage = false;
        boolean afterText = false;
        for (PromptItem item : prompt) {
            if (item instanceof Text text) {
                if (afterText && options.addEndOfUtteranceToken()) {
                    segments.add(endOfUtterance());
                }
                segments.add(new Segment(strip(text.text()), Segment.TEXT));
            } else if (item instanceof Image) {
                if (!afterImage) {
                    // adjacent pictures share the token between them
                    segments.add(fakeToken());
                }
                segments.add(new Segment(SpecialTokens.IMAGE, special.image()));
                segments.add(fakeToken());
            } else {
                segments.add(endOfUtterance());
            }
            afterImage = item instanceof Image;
            afterText = item instanceof Text;
        }
        if (options.addEosToken()) {
            segments.add(new Segment(SpecialTokens.EOS, special.eos()));
        }
        return segments;
    }

    private Segment fakeToken() {
        return new Segment(SpecialTokens.FAKE_TOKEN_AROUND_IMAGE, special.fakeTokenAroundImage());
    }

    /** The reference writes the token for models without it too; there it is text. */
    private Segment endOfUtterance() {
        return new Segment(
                SpecialTokens.END_OF_UTTERANCE, special.endOfUtterance().orElse(Segment.TEXT));
    }

    /** Joins adjacent texts, so that no special token hides across their border, and drops empty ones. */
    private static List<Segment> merged(List<Segment> segments) {
        List<Segment> merged = new ArrayList<>();
        for (Segment segment : segments) {
            int last = merged.size() - 1;
            if (segment.isText() && last >= 0 && merged.get(last).isText()) {
                merged.set(last, new Segment(merged.get(last).text() + segment.text(), Segment.TEXT));
            } else if (!segment.text().isEmpty()) {
                merged.add(segment);
            }
        }
        return merged;
    }

    private int[] imageIndex(int[] inputIds, int imageCount) {
        return ImageAttentionMask.imageIndex(inputIds, special.image(), special.eos(), imageCount);
    }

    private static int imageCount(List<PromptItem> prompt) {
        return (int) prompt.stream().filter(Image.class::isInstance).count();
    }

    /** Drops leading and trailing spaces only; other white space stays, as in the reference. */
    static String strip(String text) {
        int start = 0;
        int end = text.length();
        while (start < end && text.charAt(start) == ' ') {
            start++;
        }
        while (end > start && text.charAt(end - 1) == ' ') {
            end--;
        }
        return text.substring(start, end);
    }
}
