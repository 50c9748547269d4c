package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.grammar.Answers.Taste;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Compiled formats with the vocabulary of the published model. */
class TokenGrammarsTest {

    private static final TokenGrammars GRAMMARS = Answers.FULL_GRAMMARS;

    @Test
    void jsonObject_anyTasteAndBudget_isOneObject() throws Exception {
        TokenGrammar grammar = GRAMMARS.jsonObject();
        assertThat(grammar.leastTokens()).isLessThanOrEqualTo(3);
        for (Taste taste : Answers.tastes()) {
            for (int budget : new int[] {grammar.leastTokens(), 4, 7, 20, 150, 400}) {
                String text = Answers.write(grammar, true, taste, budget, new Random(budget));
                assertThat(new ObjectMapper().readTree(text).isObject())
                        .as(text)
                        .isTrue();
            }
        }
    }

    @Test
    void jsonObject_usualText_isLetThrough() {
        TokenGrammar grammar = GRAMMARS.jsonObject();
        String text =
                "{\"name\": \"Zo\u00EB \\\"\\u00e9\\ud83d\\ude00\\n\", \"tags\":[1, -2.5e3,true,null], \"o\": {\"a\":{}}}";
        assertThat(Answers.accepts(grammar, true, text)).isTrue();
        assertThat(Answers.accepts(grammar, true, "[1]")).isFalse();
        assertThat(Answers.accepts(grammar, true, "{\"a\":01}")).isFalse();
        assertThat(Answers.accepts(grammar, true, "{\"a\":\"\\ud83d\"}")).isFalse();
        assertThat(Answers.accepts(grammar, true, "{\"a\":\"\\x\"}")).isFalse();
        assertThat(Answers.accepts(grammar, true, "{\"a\":1,}")).isFalse();
    }

    @Test
    void choice_anyTaste_isOneOfThem() {
        List<String> texts = List.of("yes", "no", " spaced", "na\u00EFve", "\uD83D\uDE00", "note", "");
        TokenGrammar grammar = GRAMMARS.choice(texts, "guided_choice");
        for (Taste taste : Answers.tastes()) {
            for (int budget = grammar.leastTokens(); budget < 12; budget++) {
                assertThat(texts).contains(Answers.write(grammar, true, taste, budget, new Random(budget)));
            }
        }
        for (String text : texts) {
            assertThat(Answers.accepts(grammar, true, text)).as(text).isTrue();
        }
    }

    @Test
    void choice_onlyTextsWithLeadingSpaces_keepsTheSpaces() {
        TokenGrammar grammar = GRAMMARS.choice(List.of(" a", "  b"), "guided_choice");
        for (int seed = 0; seed < 50; seed++) {
            assertThat(Answers.write(grammar, true, Taste.NOTHING, grammar.leastTokens() + seed % 3, new Random(seed)))
                    .isIn(" a", "  b");
        }
    }

    @Test
    void regex_anyTaste_matchesTheWhole() {
        for (String pattern : List.of(
                "[a-z]{3,5}(-[0-9]+)?",
                "(yes|no)[.!]?",
                "\\d{4}-\\d{2}",
                ".{0,20}",
                "[^a]{5}",
                "(a|b)*abb",
                "^\\p{Lu}\\p{Ll}*$",
                "(.*a.{20}){1,2}",
                "x{0,100000}")) {
            TokenGrammar grammar = GRAMMARS.regex(pattern, "guided_regex");
            for (Taste taste : Answers.tastes()) {
                for (int budget : new int[] {grammar.leastTokens(), grammar.leastTokens() + 1, 60, 120}) {
                    String text = Answers.write(
                            grammar, true, taste, Math.max(budget, grammar.leastTokens()), new Random(budget));
                    assertThat(text).matches("(?s)" + pattern);
                }
            }
        }
    }
}
