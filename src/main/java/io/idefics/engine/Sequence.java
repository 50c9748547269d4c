package io.idefics.engine;

import io.idefics.generation.Priority;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A sequence as the scheduler sees it: its tokens, how many of them are in the cache, and where. Only the engine's own
 * classes change it.
 */
final class Sequence {

    /** Where a sequence stands. */
    enum Phase {
        /** In the queue, without memory: it has not begun, or it was preempted. */
        WAITING,
        /** It has its memory and waits for its pictures. */
        ENCODING,
        /** Its tokens are being run, in chunks. */
        PREFILL,
        /** Each step adds one token. */
        DECODE,
        /** Ended, failed or cancelled; it has no memory. */
        FINISHED
    }

    /** The deadline of a sequence that waits as long as it takes. */
    static final long NO_DEADLINE = Long.MAX_VALUE;

    private static final int NOTHING = Integer.MAX_VALUE;

    private final ModelInput input;
    private final List<String> imageDigests;
    private final int maxTokens;
    private final String client;
    private final Priority priority;
    private final long arrival;
    private final long deadlineNanos;

    private final List<BlockKey> keys = new ArrayList<>();
    private int[] generatedIds = {};
    private int generated;

    private Phase phase = Phase.WAITING;
    private boolean started;
    private int passes;

    private int[] blocks = {};
    private final List<PrefixCache.Node> nodes = new ArrayList<>();
    private int cached;
    private int reused;
    private int logitsFrom;
    private Map<String, Integer> imageSlots = Map.of();

    /**
     * @param input the prompt, of at least one token
     * @param imageDigests the content digest of each picture of the prompt
     * @param maxTokens the most tokens to generate
     * @param promptLogprobsFrom from which token of the prompt on log-probabilities are wanted; -1 for none
     * @param client whose sequence it is
     * @param priority whose turn comes first
     * @param arrival a number that grows from sequence to sequence
     * @param deadlineNanos when it must have left the queue, or {@link #NO_DEADLINE}
     */
    Sequence(
            ModelInput input,
            List<String> imageDigests,
            int maxTokens,
            int promptLogprobsFrom,
            String client,
            Priority priority,
            long arrival,
            long deadlineNanos) {
        if (input.inputIds().length == 0 || input.inputIds().length != input.imageIndex().length) {
            throw new IllegalArgumentException("A prompt of " + input.inputIds().length + " tokens with "
                    + input.imageIndex().length + " image indices");
        }
        if (input.images().size() != imageDigests.size()) {
            throw new IllegalArgumentException(
                    input.images().size() + " pictures with " + imageDigests.size() + " digests");
        }
        for (int image : input.imageIndex()) {
            if (image < -1 || image >= imageDigests.size()) {
                throw new IllegalArgumentException(
                        "A token sees picture " + image + " of a prompt that has " + imageDigests.size());
            }
        }
        if (maxTokens < 0) {
            throw new IllegalArgumentException("A sequence cannot generate " + maxTokens + " tokens");
        }
        this.input = input;
        this.imageDigests = List.copyOf(imageDigests);
        this.maxTokens = maxTokens;
        this.client = client;
        this.priority = priority;
        this.arrival = arrival;
        this.deadlineNanos = deadlineNanos;
        logitsFrom(promptLogprobsFrom < 0 ? NOTHING : promptLogprobsFrom - 1);
    }

    /** A sequence of normal priority that tells nothing of its prompt. */
    Sequence(
            ModelInput input,
            List<String> imageDigests,
            int maxTokens,
            String client,
            long arrival,
            long deadlineNanos) {
        this(input, imageDigests, maxTokens, -1, client, Priority.NORMAL, arrival, deadlineNanos);
    }

    ModelInput input() {
        return input;
    }

    int maxTokens() {
        return maxTokens;
    }

    String client() {
        return client;
    }

    Priority priority() {
        return priority;
    }

    long arrival() {
        return arrival;
    }

    Phase phase() {
        return phase;
    }

    boolean isFinished() {
        return phase == Phase.FINISHED;
    }

    int promptLength() {
        return input.inputIds().length;
    }

    /** The number of generated tokens. */
    int generated() {
        return generated;
    }

    /** The number of tokens, prompt and generated. */
    int length() {
        return promptLength() + generated;
    }

    /** How many of the first tokens are in the cache. */
    int cached() {
        return cached;
    }

    /** How many tokens the prefix cache had when the sequence was prefilled last. */
    int reused() {
        return reused;
    }

    /** How many of the first tokens may come from the cache: the last one must be run, and those whose logits are wanted. */
    int reusable() {
        return Math.min(length() - 1, logitsFrom);
    }

    /** The first token of the prompt whose logits are still wanted for the token after it; none if beyond the prompt. */
    int logitsFrom() {
        return logitsFrom;
    }

    /** The logits of the tokens before this one are not wanted any more. */
    void logitsFrom(int token) {
        logitsFrom = token < promptLength() - 1 ? token : NOTHING;
    }

    int id(int token) {
        return token < promptLength() ? input.inputIds()[token] : generatedIds[token - promptLength()];
    }

    /** The digest of the picture that a token sees, or null for none. A generated token sees what the prompt's last saw. */
    @Nullable
    String digest(int token) {
        int image = input.imageIndex()[Math.min(token, promptLength() - 1)];
        return image < 0 ? null : imageDigests.get(image);
    }

    /** The ids of some tokens, (count). */
    int[] ids(int first, int count) {
        int[] ids = new int[count];
        Arrays.setAll(ids, i -> id(first + i));
        return ids;
    }

    /** For each of some tokens the slot of the picture that it sees, or -1, (count). */
    int[] imageSlots(int first, int count) {
        int[] slots = new int[count];
        Arrays.setAll(slots, i -> imageSlot(digest(first + i)));
        return slots;
    }

    /** The token slots of the first tokens, in token order: start, end, start, end, and so on. */
    int[] cacheRuns(int upTo, int blockTokens) {
        int[] runs = new int[2 * blocks.length];
        int size = 0;
        for (int block = 0, left = upTo; left > 0; block++, left -= blockTokens) {
            int start = blocks[block] * blockTokens;
            if (size == 0 || runs[size - 1] != start) {
                runs[size] = start;
                size += 2;
            }
            runs[size - 1] = start + Math.min(left, blockTokens);
        }
        return Arrays.copyOf(runs, size);
    }

    /** The pictures that the tokens from {@code first} on see, by digest. */
    Map<String, PixelValues> picturesFrom(int first) {
        Map<String, PixelValues> pictures = new LinkedHashMap<>();
        for (int token = Math.min(first, promptLength() - 1); token < promptLength(); token++) {
            int image = input.imageIndex()[token];
            if (image >= 0) {
                pictures.putIfAbsent(imageDigests.get(image), input.images().get(image));
            }
        }
        return pictures;
    }

    /** What distinguishes a full block from others that follow the same tokens. */
    BlockKey key(int block, int blockTokens) {
        while (keys.size() <= block) {
            int first = keys.size() * blockTokens;
            String[] digests = new String[blockTokens];
            Arrays.setAll(digests, i -> digest(first + i));
            keys.add(new BlockKey(ids(first, blockTokens), digests));
        }
        return keys.get(block);
    }

    /** Whether the time to leave the queue has passed; a sequence that has once left it has met its deadline. */
    boolean isOverdue(long nowNanos) {
        return !started && deadlineNanos != NO_DEADLINE && deadlineNanos - nowNanos <= 0;
    }

    /** How often others were admitted in its place because it did not fit. */
    int passes() {
        return passes;
    }

    void pass() {
        passes++;
    }

    void phase(Phase next) {
        phase = next;
        if (next != Phase.WAITING) {
            started = true;
            passes = 0;
        }
    }

    void append(int id) {
        if (phase != Phase.DECODE || cached != length()) {
            throw new IllegalStateException("A token for a sequence that has none due, in phase " + phase + " with "
                    + cached + " of " + length() + " tokens cached");
        }
        if (generated == maxTokens) {
            throw new IllegalStateException("More than " + maxTokens + " tokens, which is the limit of the sequence");
        }
        if (generated == generatedIds.length) {
            generatedIds = Arrays.copyOf(generatedIds, Math.max(16, 2 * generated));
        }
        generatedIds[generated++] = id;
    }

    /** The block table: where the tokens are, block by block. */
    int[] blocks() {
        return blocks;
    }

    void blocks(int[] table) {
        blocks = table;
    }

    /** The nodes of the prefix cache for the first blocks of the table. */
    List<PrefixCache.Node> nodes() {
        return nodes;
    }

    /** Tokens that have just been run. */
    void advance(int tokens) {
        cached += tokens;
    }

    /** Tokens that the prefix cache had. */
    void reuse(int tokens) {
        cached += tokens;
        reused += tokens;
    }

    /** Forgets where its tokens were. */
    void clear() {
        blocks = new int[0];
        nodes.clear();
        cached = 0;
        reused = 0;
    }

    /** The slots of the pictures that it pins, by digest. */
    Map<String, Integer> imageSlots() {
        return imageSlots;
    }

    void imageSlots(Map<String, Integer> slots) {
        imageSlots = slots;
    }

    private int imageSlot(@Nullable String digest) {
        if (digest == null) {
            return -1;
        }
        Integer slot = imageSlots.get(digest);
        if (slot == null) {
            throw new IllegalStateException("No slot for picture " + digest);
        }
        return slot;
    }

    /** The contents of a full block: its token ids and what each of them sees. Equal only when all of it is equal. */
    static final class BlockKey {

        private final int[] ids;
        private final @Nullable String[] digests;
        private final int hash;

        BlockKey(int[] ids, @Nullable String[] digests) {
            this.ids = ids;
            this.digests = digests;
            this.hash = 31 * Arrays.hashCode(ids) + Arrays.hashCode(digests);
        }

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof BlockKey key
                    && hash == key.hash
                    && Arrays.equals(ids, key.ids)
                    && Arrays.equals(digests, key.digests);
        }

        @Override
        public int hashCode() {
            return hash;
        }
    }
}
