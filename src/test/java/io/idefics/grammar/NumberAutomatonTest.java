package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.grammar.NumberAutomaton.Bounds;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NumberAutomatonTest {

    private static boolean accepts(ByteState start, String text) {
        ByteState end = start == null ? null : start.after(text.getBytes(StandardCharsets.UTF_8));
        return end != null && end.accepting();
    }

    /** Every text of few characters is accepted exactly if it is a number within the bounds. */
    @Test
    void random_boundsAndTexts_agreeWithArithmetic() {
        int accepted = 0;
        for (int seed = 0; seed < 400; seed++) {
            Random random = new Random(seed);
            boolean integer = random.nextBoolean();
            BigDecimal min = random.nextInt(4) == 0 ? null : decimal(random);
            BigDecimal max = random.nextInt(4) == 0 ? null : decimal(random);
            BigDecimal multipleOf =
                    random.nextBoolean() ? null : decimal(random).abs().add(new BigDecimal("0.01"));
            Bounds bounds = new Bounds(integer, min, random.nextBoolean(), max, random.nextBoolean(), multipleOf);
            ByteState start = NumberAutomaton.of(bounds);
            for (int i = -120; i <= 120; i++) {
                for (String text : new String[] {
                    String.valueOf(i),
                    BigDecimal.valueOf(i, 1).toPlainString(),
                    BigDecimal.valueOf(i, 2).toPlainString()
                }) {
                    boolean expected = isWithin(new BigDecimal(text), bounds)
                            && !(integer && text.contains("."))
                            && !(text.startsWith("-") && new BigDecimal(text).signum() == 0);
                    assertThat(accepts(start, text))
                            .as("seed %s: %s in %s", seed, text, bounds)
                            .isEqualTo(expected);
                    accepted += expected ? 1 : 0;
                }
            }
        }
        assertThat(accepted).isGreaterThan(5_000);
    }

    private static BigDecimal decimal(Random random) {
        return BigDecimal.valueOf(random.nextInt(2_000) - 1_000, random.nextInt(3));
    }

    private static boolean isWithin(BigDecimal value, Bounds bounds) {
        BigDecimal min = bounds.min();
        BigDecimal max = bounds.max();
        BigDecimal multipleOf = bounds.multipleOf();
        return (min == null || value.compareTo(min) >= (bounds.minExcluded() ? 1 : 0))
                && (max == null || value.compareTo(max) <= (bounds.maxExcluded() ? -1 : 0))
                && (multipleOf == null || value.remainder(multipleOf).signum() == 0);
    }

    /** Following the cheapest byte always reaches a number in as many bytes as the costs say. */
    @ParameterizedTest
    @CsvSource({
        "true, 1000000, 1000007, 7",
        "false, 0.001, 0.0019, 0.0007",
        "true, -900, -899, ",
        "true, 1e20, , 3",
        "false, 99.99, 100, 0.01",
        "false, , -1e-9, ",
        "true, , , 1e9"
    })
    void cost_eachState_isReachedByOneByteLess(boolean integer, BigDecimal min, BigDecimal max, BigDecimal multipleOf) {
        Bounds bounds = new Bounds(integer, min, false, max, true, multipleOf);
        ByteState state = NumberAutomaton.of(bounds);
        assertThat(state).isNotNull();
        StringBuilder text = new StringBuilder();
        while (state.cost() > 0) {
            ByteState cheaper = null;
            for (char c : "0123456789.-".toCharArray()) {
                ByteState next = state.next(c);
                if (next != null && next.cost() < state.cost()) {
                    cheaper = next;
                    text.append(c);
                    break;
                }
            }
            assertThat(cheaper).as("after %s", text).isNotNull();
            state = cheaper;
        }
        assertThat(isWithin(new BigDecimal(text.toString()), bounds))
                .as(text.toString())
                .isTrue();
    }

    @ParameterizedTest
    @CsvSource({"true, 0.1, 0.9, ", "true, 1, 6, 7", "false, 5, 4, ", "false, 1e-30, 2e-30, "})
    void of_boundsWithoutNumber_isNull(boolean integer, BigDecimal min, BigDecimal max, BigDecimal multipleOf) {
        assertThat(NumberAutomaton.of(new Bounds(integer, min, false, max, false, multipleOf)))
                .isNull();
    }

    @Test
    void next_longNumbers_areCutAtThePrecisionOfDoubles() {
        ByteState start = NumberAutomaton.of(new Bounds(false, BigDecimal.ZERO, true, null, false, null));
        assertThat(accepts(start, "0.000000000000001")).isTrue();
        assertThat(accepts(start, "0.0000000000000001")).isFalse();
        assertThat(accepts(start, "12345.1234567890")).isTrue();
        assertThat(accepts(start, "12345.12345678901")).isFalse();
    }
}
