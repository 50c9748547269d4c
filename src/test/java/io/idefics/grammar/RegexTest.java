package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Regular expressions as automata. */
class RegexTest {

    private static final TokenTrie TRIE = trie();

    private static TokenTrie trie() {
        return new TokenTrie(IntStream.range(0, 256)
                .mapToObj(value -> new byte[] {(byte) value})
                .toList());
    }

    private static boolean matches(String pattern, boolean whole, String text) {
        return matches(automaton(pattern, whole), text);
    }

    private static boolean matches(Optional<ByteState> start, String text) {
        return start.map(state -> state.after(text.getBytes(StandardCharsets.UTF_8)))
                .map(ByteState::accepting)
                .orElse(false);
    }

    private static Optional<ByteState> automaton(String pattern, boolean whole) {
        Nodes nodes = new Nodes(TRIE, new CompileEffort("regex"));
        Regex regex = RegexParser.parse(pattern, "regex");
        Node node = (whole ? regex.whole() : regex.search()).node(nodes, new Utf8(nodes));
        return node.cost() >= Node.IMPOSSIBLE ? Optional.empty() : Optional.of(NodeAutomaton.of(node, nodes));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            quoteCharacter = '`',
            value = {
                "abc!abc!abcd",
                "a|bc!bc!abc",
                "a?b+c*!bb!a",
                "(?:ab){2,3}!ababab!abababab",
                "(?<year>\\d{4})!2024!20a4",
                "[a-cx-]+!ab-x!d",
                "[^a-c]+!def!ada",
                "[\\w.-]+@x!a.b-c@x!a b@x",
                "\\x41\\u0042\\u{43}!ABC!abc",
                "\\u{1F600}!\uD83D\uDE00!\u00E9",
                "\\ud83d\\ude00!\uD83D\uDE00!\u00E9",
                "\\cJ?\\.\\/\\^!./^!x/^",
                "[\\]\\\\^]+!]\\^!a",
                ".!\uD83D\uDE00!ab",
                "\\p{Lu}\\p{gc=Nd}!\u00C91!\u00E91",
                "\\P{L}!1!a",
                "[^\\d\\s]!x!3",
                "\\S\\D\\W!aa-!aaa",
                "^ab$!ab!abc",
                "(^a|b)c$!ac!bac",
                "a{0}b!b!ab",
                "(a*)*b!aaab!aaa",
                "(a?){3}!aa!aaaa",
                "(a?b?)+c!abbac!d",
                "a*?b+?!aab!aa",
                "x{2,}!xxxx!x",
                "(?:x+){2,3}y!xxxxy!xy",
                "(?:x*){2,3}y!y!x",
                "(?:x+)*y!y!x",
                "(?:(?:ab)+)?c!ababc!abac",
                "[]x!x!]",
                "\\0?a!a!b"
            })
    void whole_text_matchesOrNot(String pattern, String matching, String other) {
        if (!pattern.equals("[]x")) {
            assertThat(matches(pattern, true, matching)).isTrue();
        }
        assertThat(matches(pattern, true, other)).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "b, abc, ac",
        "^b, bcd, abc",
        "b$, ab, abc",
        "^b$, b, bb",
        "^a|b$, axx, xa",
        "(^|x)a, ab, ba",
        "a(x|$), ba, ab",
        "^$, '', a",
        "a.c, xabcx, ac",
        "^(^|x)(^|y)a, ya, xa",
        "(a|b$)(a|b$)$, ab, ba",
        "'(,|^)x(,|$)?y?$', ',x,y', 'zxy'",
        "(^a)?b, xb, a",
        "^^a$$, a, aa"
    })
    void search_text_matchesOrNot(String pattern, String matching, String other) {
        assertThat(matches(pattern, false, matching)).isTrue();
        assertThat(matches(pattern, false, other)).isFalse();
    }

    @Test
    void random_expressionsAndTexts_agreeWithJava() {
        int matched = 0;
        int missed = 0;
        for (int seed = 0; seed < 600; seed++) {
            Random random = new Random(seed);
            String pattern = expression(random, 3, true);
            Pattern java = Pattern.compile(pattern);
            Optional<ByteState> whole = automaton(pattern, true);
            Optional<ByteState> search = automaton(pattern, false);
            for (int i = 0; i < 40; i++) {
                String text = text(random);
                boolean matches = java.matcher(text).matches();
                boolean finds = java.matcher(text).find();
                if (matches(whole, text)) {
                    assertThat(matches)
                            .as("seed %s: %s, '%s'", seed, pattern, text)
                            .isTrue();
                }
                if (matches(search, text)) {
                    assertThat(finds)
                            .as("seed %s: search %s, '%s'", seed, pattern, text)
                            .isTrue();
                }
                matched += (matches ? 1 : 0) + (finds ? 1 : 0);
                missed += (matches(whole, text) == matches ? 0 : 1) + (matches(search, text) == finds ? 0 : 1);
            }
        }
        assertThat(matched).isBetween(5_000, 40_000);
        // Of very ambiguous expressions not all texts are known.
        assertThat(missed).isLessThan(matched / 200);
    }

    private static String text(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(7); i > 0; i--) {
            text.appendCodePoint(List.of((int) 'a', (int) 'b', (int) 'c', (int) '1', 0xE9, 0x1F600)
                    .get(random.nextInt(random.nextInt(4) == 0 ? 6 : 3)));
        }
        return text.toString();
    }

    /**
     * A random expression. Anchors are not repeated: Java does not find all that such expressions match.
     */
    private static String expression(Random random, int depth, boolean anchors) {
        if (depth == 0) {
            return List.of(
                            "a", "b", "c", "[ab]", "[^a]", "\\d", "\\w", ".", "\u00E9", "[a-c1]", "\\u00e9", "ab",
                            "(?:)")
                    .get(random.nextInt(13));
        }
        return switch (random.nextInt(anchors ? 9 : 6)) {
            case 0, 1, 2 -> expression(random, depth - 1, anchors) + expression(random, depth - 1, anchors);
            case 3 -> "(" + expression(random, depth - 1, anchors) + "|" + expression(random, depth - 1, anchors) + ")";
            case 4 -> "(?:" + expression(random, depth - 1, false) + ")" + quantifier(random);
            case 5 -> "(" + expression(random, depth - 1, false) + ")" + quantifier(random);
            case 6 ->
                "(?:^" + expression(random, depth - 1, anchors) + "|" + expression(random, depth - 1, anchors) + ")";
            case 7 ->
                "(" + expression(random, depth - 1, anchors) + "$|" + expression(random, depth - 1, anchors) + ")";
            default -> expression(random, depth - 1, anchors);
        };
    }

    private static String quantifier(Random random) {
        return List.of("*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "{0,2}").get(random.nextInt(8));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(",
                ")",
                "a)",
                "[a",
                "a**",
                "*a",
                "a{2",
                "a{,2}",
                "a{3,2}",
                "\\",
                "[b-a]",
                "\\u{110000}",
                "\\xg0",
                "\\u12",
                "^*",
                "{1}",
                "]",
                "a{1000000000}",
                "(?<a",
                "\\c1",
                "\\p{",
                "\\ud800",
                "[a-\\d]",
                "}"
            })
    void parse_malformed_isInvalid(String pattern) {
        assertRefused(pattern, ErrorType.INVALID_VALUE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(?=a)",
                "(?!a)",
                "(?<=a)b",
                "(?<!a)b",
                "(a)\\1",
                "\\bword",
                "\\B",
                "(?<n>a)\\k<n>",
                "(?i)a",
                "\\p{Script=Greek}",
                "\\01",
                "\\q",
                "(?i:a)",
                "(?>a)",
                "(^a|b)*",
                "(?:a|b$){2}"
            })
    void parse_unsupported_saysSo(String pattern) {
        assertRefused(pattern, ErrorType.UNSUPPORTED_PARAMETER);
    }

    private static void assertRefused(String pattern, ErrorType type) {
        assertThatThrownBy(() -> Answers.SMALL_GRAMMARS.regex(pattern, "guided_regex"))
                .isInstanceOfSatisfying(GenerationException.class, e -> {
                    assertThat(e.type()).isEqualTo(type);
                    assertThat(e.param()).isEqualTo("guided_regex");
                    assertThat(e.getMessage()).startsWith("The regular expression");
                });
    }

    @ParameterizedTest
    @ValueSource(strings = {"a^b", "$a", "[]", "a(b$)c"})
    void regex_withoutAnyText_isRefused(String pattern) {
        assertRefused(pattern, ErrorType.INVALID_VALUE);
    }
}
