package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.generation.GenerationException;
import io.idefics.grammar.Answers.Taste;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class AvoidedStringsTest {

    private static boolean accepts(List<String> avoided, byte[] text) {
        ByteState end =
                AvoidedStrings.of(avoided, new CompileEffort("bad_words")).after(text);
        return end != null && end.accepting();
    }

    @Test
    void random_stringsAndTexts_acceptsThoseWithoutAny() {
        int accepted = 0;
        for (int seed = 0; seed < 3_000; seed++) {
            Random random = new Random(seed);
            List<String> avoided = IntStream.range(0, 1 + random.nextInt(3))
                    .mapToObj(i -> word(random, 1 + random.nextInt(3)))
                    .toList();
            String text = word(random, random.nextInt(6));
            boolean expected = avoided.stream().noneMatch(text::contains);
            assertThat(accepts(avoided, text.getBytes(StandardCharsets.UTF_8)))
                    .as("'%s' without %s", text, avoided)
                    .isEqualTo(expected);
            accepted += expected ? 1 : 0;
        }
        assertThat(accepted).isBetween(500, 2_500);
    }

    private static String word(Random random, int length) {
        StringBuilder word = new StringBuilder();
        for (int i = 0; i < length; i++) {
            word.appendCodePoint(
                    new int[] {'a', 'b', 0xE9, 0xEA, 0x1F600}[random.nextInt(random.nextInt(3) == 0 ? 5 : 2)]);
        }
        return word.toString();
    }

    @Test
    void next_malformedBytes_areRefused() {
        for (int[] bytes : new int[][] {
            {0xC3, 'a'},
            {0x80},
            {0xC0, 0x80},
            {0xED, 0xA0, 0x80},
            {0xF5},
            {0xF4, 0x90, 0x80, 0x80},
            {0xE0, 0x80, 0x80},
            {0xC3}
        }) {
            byte[] text = new byte[bytes.length];
            for (int i = 0; i < bytes.length; i++) {
                text[i] = (byte) bytes[i];
            }
            assertThat(accepts(List.of("x"), text)).isFalse();
        }
    }

    @Test
    void next_allCharactersThatBeginSo_areAvoided_refusesTheBeginning() {
        // U+00C0 to U+00FF are all that begins with the byte C3.
        List<String> avoided =
                IntStream.rangeClosed(0xC0, 0xFF).mapToObj(Character::toString).toList();
        ByteState start = AvoidedStrings.of(avoided, new CompileEffort("bad_words"));
        assertThat(start.next(0xC3)).isNull();
        assertThat(start.next(0xC4)).isNotNull();
    }

    @Test
    void without_anyTasteAndBudget_hasNoneOfThem() {
        List<String> avoided = List.of("e", "the", " a", "\uD83D\uDE00", "\n", "{\"");
        TokenGrammar grammar = Answers.FULL_GRAMMARS.without(avoided, "bad_words");
        assertThat(grammar.leastTokens()).isEqualTo(1);
        for (Taste taste : Answers.tastes()) {
            if (taste != Taste.NEVER_ENDING) {
                for (int budget : new int[] {1, 2, 3, 40}) {
                    assertThat(Answers.writeOpen(grammar, true, taste, budget, new Random(budget)))
                            .doesNotContain(avoided);
                }
            }
        }
        assertThat(Answers.writeOpen(grammar, true, Taste.NEVER_ENDING, 30, new Random(1)))
                .isNotEmpty()
                .doesNotContain(avoided);
    }

    @Test
    void without_emptyStringOrNone_isRefused() {
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.without(List.of("a", ""), "bad_words"))
                .isInstanceOf(GenerationException.class)
                .hasMessageContaining("bad_words");
        assertThatThrownBy(() -> Answers.FULL_GRAMMARS.without(List.of(), "bad_words"))
                .isInstanceOf(GenerationException.class);
    }
}
