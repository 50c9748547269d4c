package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.engine.TokenConstraint;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.IncrementalDecoder;
import io.idefics.tokenizer.ReferenceData;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Plays a model without sense: writes answers under a constraint from random logits. */
final class Answers {

    /** What a senseless model favours. */
    enum Taste {
        NOTHING,
        LETTERS,
        LONG_TOKENS,
        BYTES,
        PUNCTUATION,
        ESCAPES,
        OPENING,
        NEVER_ENDING,
        ENDING,
        DIGITS
    }

    /** One tokenizer for all tests. */
    static final IdeficsTokenizer FULL = ReferenceData.tokenizer("tiny-bf16-sharded");

    static final IdeficsTokenizer SMALL = ReferenceData.tokenizer("tiny-f32");

    static final Set<Integer> FULL_STOPS = Set.of(2, 32_002);
    static final Set<Integer> SMALL_STOPS = Set.of(2, 1_002);

    static final TokenGrammars FULL_GRAMMARS = new TokenGrammars(FULL, FULL_STOPS);
    static final TokenGrammars SMALL_GRAMMARS = new TokenGrammars(SMALL, SMALL_STOPS);

    private static final Map<String, boolean[]> FAVOURED = new ConcurrentHashMap<>();

    private Answers() {}

    /** An answer of at most {@code budget} tokens; fails where it is cut off or no token is left. */
    static String write(TokenGrammar grammar, boolean full, Taste taste, int budget, Random random) {
        return write(grammar.constraint(), full, taste, budget, random);
    }

    /** An answer that may be cut off after {@code budget} tokens. */
    static String writeOpen(TokenGrammar grammar, boolean full, Taste taste, int budget, Random random) {
        return write(grammar.constraint(), full, taste, budget, random, true);
    }

    static String write(TokenConstraint constraint, boolean full, Taste taste, int budget, Random random) {
        return write(constraint, full, taste, budget, random, false);
    }

    private static String write(
            TokenConstraint constraint, boolean full, Taste taste, int budget, Random random, boolean open) {
        IdeficsTokenizer tokenizer = full ? FULL : SMALL;
        Set<Integer> stops = full ? FULL_STOPS : SMALL_STOPS;
        float[] base = base(tokenizer, stops, taste, random);
        float[] logits = new float[base.length];
        IncrementalDecoder decoder = tokenizer.incrementalDecoder();
        StringBuilder text = new StringBuilder();
        int offset = random.nextInt(base.length);
        for (int remaining = budget; remaining > 0; remaining--) {
            System.arraycopy(base, 0, logits, 0, logits.length);
            constraint.mask(logits, remaining);
            int id = draw(logits, offset + remaining * 7_919);
            assertThat(id).as("a token is left after %s", text).isNotNegative();
            constraint.accept(id);
            if (stops.contains(id)) {
                return text.append(decoder.finish()).toString();
            }
            text.append(decoder.append(id));
        }
        assertThat(open).as("the answer was cut off: " + text).isTrue();
        return text.append(decoder.finish()).toString();
    }

    /** The best token; ties, which are many, are broken by a rotation that differs from step to step. */
    private static int draw(float[] logits, int rotation) {
        int best = -1;
        for (int i = 0; i < logits.length; i++) {
            int id = Math.floorMod(i + rotation, logits.length);
            if (logits[id] > Float.NEGATIVE_INFINITY && (best < 0 || logits[id] > logits[best])) {
                best = id;
            }
        }
        return best;
    }

    private static float[] base(IdeficsTokenizer tokenizer, Set<Integer> stops, Taste taste, Random random) {
        boolean[] favoured =
                FAVOURED.computeIfAbsent(taste + " " + tokenizer.maxId(), key -> favoured(tokenizer, taste));
        float[] logits = new float[favoured.length];
        for (int id = 0; id < logits.length; id++) {
            logits[id] = random.nextInt(10) + (favoured[id] ? 8 : 0);
        }
        for (int stop : stops) {
            logits[stop] = taste == Taste.ENDING ? 100 : taste == Taste.NEVER_ENDING ? -100 : random.nextInt(18);
        }
        return logits;
    }

    private static boolean[] favoured(IdeficsTokenizer tokenizer, Taste taste) {
        boolean[] all = new boolean[tokenizer.maxId() + 6];
        for (int id = 0; id < all.length; id++) {
            byte[] bytes = id > tokenizer.maxId() ? null : tokenizer.piece(id).bytes();
            String text = bytes == null ? "" : new String(bytes, StandardCharsets.ISO_8859_1);
            all[id] = switch (taste) {
                case NOTHING, NEVER_ENDING -> false;
                case LETTERS -> text.matches("[ a-z]+");
                case LONG_TOKENS -> text.length() > 3;
                case BYTES -> text.length() == 1;
                case PUNCTUATION -> text.matches("[^a-zA-Z0-9]+");
                case ESCAPES -> text.contains("\\") || text.contains("u");
                case OPENING -> text.matches("[\\[{\":,]+");
                case ENDING -> text.matches("[\\]}\"]+");
                case DIGITS -> text.matches("[0-9.eE+-]+");
            };
        }
        return all;
    }

    /** The text that the constraint lets through if it is offered exactly these tokens; null if it refuses one. */
    static boolean accepts(TokenGrammar grammar, boolean full, String text) {
        IdeficsTokenizer tokenizer = full ? FULL : SMALL;
        int[] ids = tokenizer.encodePlain(text);
        return accepts(grammar, full, ids);
    }

    static boolean accepts(TokenGrammar grammar, boolean full, int... ids) {
        TokenConstraint constraint = grammar.constraint();
        float[] logits = new float[(full ? FULL : SMALL).maxId() + 1];
        for (int id : ids) {
            Arrays.fill(logits, 0);
            constraint.mask(logits, 100_000);
            if (logits[id] != 0) {
                return false;
            }
            constraint.accept(id);
        }
        Arrays.fill(logits, 0);
        constraint.mask(logits, 100_000);
        return (full ? FULL_STOPS : SMALL_STOPS).stream().allMatch(stop -> logits[stop] == 0);
    }

    static List<Taste> tastes() {
        return List.of(Taste.values());
    }
}
