package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.engine.TokenConstraint;
import io.idefics.grammar.Answers.Taste;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class GrammarConstraintTest {

    private static final int STOP = 300;
    private static final int OTHER_STOP = 301;

    /** The 256 bytes, then some words, then a token without text and two that end the answer. */
    private static TokenGrammars grammars(String... words) {
        List<byte @Nullable []> pieces = new ArrayList<>();
        for (int value = 0; value < 256; value++) {
            pieces.add(new byte[] {(byte) value});
        }
        for (String word : words) {
            pieces.add(word.getBytes(StandardCharsets.UTF_8));
        }
        while (pieces.size() <= OTHER_STOP) {
            pieces.add(null);
        }
        return new TokenGrammars(pieces, Set.of(STOP, OTHER_STOP));
    }

    private static Set<Integer> allowed(TokenConstraint constraint, int remaining) {
        float[] logits = new float[310];
        constraint.mask(logits, remaining);
        Set<Integer> allowed = new TreeSet<>();
        for (int id = 0; id < logits.length; id++) {
            if (logits[id] == 0) {
                allowed.add(id);
            } else {
                assertThat(logits[id]).isNegative().isInfinite();
            }
        }
        return allowed;
    }

    @Test
    void mask_choice_leavesBytesAndWordsThatGoOn() {
        TokenConstraint constraint = grammars("ab", " ab", "abc", "b", " ")
                .choice(List.of("abc", "abd"), "choice")
                .constraint();
        assertThat(allowed(constraint, 100)).containsExactly((int) ' ', (int) 'a', 256, 257, 258, 260);
        constraint.accept(257);
        assertThat(allowed(constraint, 100)).containsExactly((int) 'c', (int) 'd');
        constraint.accept('d');
        assertThat(allowed(constraint, 100)).containsExactly(STOP, OTHER_STOP);
        constraint.accept(STOP);
    }

    @Test
    void mask_leadingSpaces_oneDoesNotCount() {
        TokenConstraint constraint =
                grammars("  a", " a").choice(List.of(" a"), "choice").constraint();
        assertThat(allowed(constraint, 100)).containsExactly((int) ' ', 256);
        constraint.accept(' ');
        assertThat(allowed(constraint, 100)).containsExactly((int) ' ', 257);
    }

    @Test
    void mask_fewTokensLeft_excludesWhatCouldNotEnd() {
        TokenGrammar grammar = grammars("longer").choice(List.of("a", "longer", "longest"), "choice");
        assertThat(grammar.leastTokens()).isEqualTo(2);
        assertThat(allowed(grammar.constraint(), 2)).containsExactly((int) 'a', 256);
        assertThat(allowed(grammar.constraint(), 7)).containsExactly((int) ' ', (int) 'a', (int) 'l', 256);
        assertThat(allowed(grammar.constraint(), 3)).containsExactly((int) ' ', (int) 'a', 256);
    }

    @Test
    void mask_tooFewTokensLeft_comesCloserToTheEnd() {
        TokenGrammar grammar = grammars().regex("a{5}", "regex");
        assertThat(grammar.leastTokens()).isEqualTo(6);
        TokenConstraint constraint = grammar.constraint();
        for (int remaining = 5; remaining > 0; remaining--) {
            assertThat(allowed(constraint, remaining)).containsExactly((int) 'a');
            constraint.accept('a');
        }
        assertThat(allowed(constraint, 0)).containsExactly(STOP, OTHER_STOP);
    }

    @Test
    void mask_everyBudget_leavesAWayToTheEnd() {
        TokenGrammar grammar = grammars("\":\"", "[[", "}}", "\"}")
                .schema(
                        Validation.parse(
                                "{\"type\":\"object\",\"properties\":{\"ab\":{\"type\":\"string\",\"minLength\":3},\"c\":{\"items\":{\"items\":{}},\"type\":\"array\",\"minItems\":2}},\"required\":[\"ab\"]}"),
                        false,
                        "schema");
        for (int budget = grammar.leastTokens(); budget < grammar.leastTokens() + 40; budget++) {
            Random random = new Random(budget);
            TokenConstraint constraint = grammar.constraint();
            int remaining = budget;
            int id;
            do {
                Set<Integer> allowed = allowed(constraint, remaining--);
                assertThat(allowed).isNotEmpty();
                id = List.copyOf(allowed).get(random.nextInt(allowed.size()));
                constraint.accept(id);
            } while (id < STOP && remaining > 0);
            assertThat(id).as("budget %s", budget).isGreaterThanOrEqualTo(STOP);
        }
    }

    @Test
    void mask_bytesOfACharacter_comeInOrderAndWhole() {
        TokenConstraint constraint = grammars().regex("[\u00E9\u20AC]", "regex").constraint();
        assertThat(allowed(constraint, 10)).containsExactly((int) ' ', 0xC3, 0xE2);
        constraint.accept(0xE2);
        assertThat(allowed(constraint, 10)).containsExactly(0x82);
        constraint.accept(0x82);
        assertThat(allowed(constraint, 10)).containsExactly(0xAC);
    }

    @Test
    void mask_logitsThatAreNoNumbers_stayForTheSamplerToSee() {
        float[] logits = new float[310];
        logits['x'] = Float.NaN;
        logits['y'] = Float.POSITIVE_INFINITY;
        logits['z'] = Float.MAX_VALUE;
        grammars().choice(List.of("a"), "choice").constraint().mask(logits, 9);
        assertThat(logits['x']).isNaN();
        assertThat(logits['y']).isInfinite().isPositive();
        assertThat(logits['z']).isInfinite().isNegative();
        assertThat(logits['a']).isZero();
    }

    @Test
    void accept_tokenThatMayNotCome_fails() {
        TokenConstraint constraint = grammars().choice(List.of("a"), "choice").constraint();
        assertThatThrownBy(() -> constraint.accept('b')).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void constructor_vocabularyWithoutAByte_isRefused() {
        assertThatThrownBy(() -> new TokenGrammars(List.of("a".getBytes(StandardCharsets.UTF_8)), Set.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("byte 0");
    }

    @Test
    void compile_sameFormatTwice_isOneGrammar() {
        TokenGrammars grammars = grammars();
        assertThat(grammars.regex("a+", "regex")).isSameAs(grammars.regex("a+", "regex"));
        assertThat(grammars.regex("a+", "regex")).isNotSameAs(grammars.regex("a*", "regex"));
        String one = "{\"properties\":{\"a\":{},\"b\":{}}}";
        String other = "{\"properties\":{\"b\":{},\"a\":{}}}";
        assertThat(grammars.schema(Validation.parse(one), false, "schema"))
                .isNotSameAs(grammars.schema(Validation.parse(other), false, "schema"));
    }

    /** Answers do not depend on what other threads have found out about the grammar. */
    @Test
    void constraint_manyThreads_writeWhatOneWrites() throws Exception {
        String schema =
                "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":30},\"b\":{\"type\":\"number\",\"minimum\":3},\"c\":{}}}";
        List<String> expected = new ArrayList<>();
        TokenGrammar alone =
                new TokenGrammars(Answers.SMALL, Answers.SMALL_STOPS).schema(Validation.parse(schema), false, "s");
        for (int seed = 0; seed < 60; seed++) {
            expected.add(Answers.write(alone, false, Taste.NOTHING, 90, new Random(seed)));
        }
        TokenGrammar shared =
                new TokenGrammars(Answers.SMALL, Answers.SMALL_STOPS).schema(Validation.parse(schema), false, "s");
        ExecutorService threads = Executors.newFixedThreadPool(6);
        try {
            List<Callable<String>> tasks = new ArrayList<>();
            for (int seed = 0; seed < 60; seed++) {
                Random random = new Random(seed);
                tasks.add(() -> Answers.write(shared, false, Taste.NOTHING, 90, random));
            }
            List<String> written = new ArrayList<>();
            for (Future<String> future : threads.invokeAll(tasks)) {
                written.add(future.get());
            }
            assertThat(written).isEqualTo(expected);
        } finally {
            threads.shutdownNow();
        }
    }
}
