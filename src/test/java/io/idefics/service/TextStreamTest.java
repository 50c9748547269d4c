package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.ReferenceData;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextStreamTest {

    private static final int BYTE_0 = 3;

    private static IdeficsTokenizer tokenizer;

    @BeforeAll
    static void load() {
        tokenizer = ReferenceData.tokenizer("tiny-bf16-sharded");
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    @Test
    void append_withoutStopStrings_givesEachTextAtOnce() {
        TextStream stream = stream();
        assertThat(stream.append(15043)).isEqualTo("Hello");
        assertThat(stream.append(3186)).isEqualTo(" world");
        assertThat(stream.finish()).isEmpty();
        assertThat(stream.stopped()).isFalse();
    }

    @Test
    void append_includedStopString_isGivenOutAndNothingAfterIt() {
        TextStream stream = new TextStream(tokenizer.incrementalDecoder(), List.of("o w", "world"), true);

        assertThat(stream.append(15043)).isEqualTo("Hell");
        assertThat(stream.append(3186)).isEqualTo("o w");
        assertThat(stream.stopped()).isTrue();
        assertThat(stream.reached()).isEqualTo("o w");
        assertThat(stream.append(29991)).isEmpty();
        assertThat(stream.finish()).isEmpty();
    }

    @Test
    void append_stopStringsThatEndTogether_reachTheLongest() {
        TextStream stream = new TextStream(tokenizer.incrementalDecoder(), List.of("ld", "world", "rld"), true);

        assertThat(stream.append(15043) + stream.append(3186)).isEqualTo("Hello world");
        assertThat(stream.reached()).isEqualTo("world");
    }

    @Test
    void finish_includedStopStringInHeldBackBytes_isGivenOut() {
        TextStream stream = new TextStream(tokenizer.incrementalDecoder(), List.of("é!"), true);
        byte[] bytes = "é!".getBytes(StandardCharsets.UTF_8);
        StringBuilder text = new StringBuilder();

        for (byte b : bytes) {
            text.append(stream.append(BYTE_0 + Byte.toUnsignedInt(b)));
        }

        assertThat(text + stream.finish()).isEqualTo("é!");
        assertThat(stream.reached()).isEqualTo("é!");
    }

    @Test
    void append_beginningOfAStopString_isHeldBack() {
        TextStream stream = stream("world peace");
        assertThat(stream.append(15043)).isEqualTo("Hello");
        assertThat(stream.append(3186)).isEqualTo(" ");
        assertThat(stream.stopped()).isFalse();
        assertThat(stream.append(29991)).isEqualTo("world!");
        assertThat(stream.finish()).isEmpty();
    }

    @Test
    void finish_beginningOfAStopString_isGivenOut() {
        TextStream stream = stream("world peace");
        stream.append(15043);
        stream.append(3186);
        assertThat(stream.finish()).isEqualTo("world");
        assertThat(stream.stopped()).isFalse();
        assertThat(stream.finish()).isEmpty();
    }

    @Test
    void append_stopString_isCutOffWithAllThatFollows() {
        assertThat(read("Hello world. Bye.", "world")).isEqualTo("Hello ");
        assertThat(read("Hello world. Bye.", "Hello")).isEmpty();
        assertThat(read("Hello world. Bye.", "lo wo")).isEqualTo("Hel");
    }

    @Test
    void append_afterTheStop_givesNothing() {
        TextStream stream = stream("Hello");
        assertThat(stream.append(15043)).isEmpty();
        assertThat(stream.stopped()).isTrue();
        assertThat(stream.append(3186)).isEmpty();
        assertThat(stream.finish()).isEmpty();
    }

    @Test
    void append_stopStringThatEndsInALineFeed_stopsWithTheLineFeed() {
        TextStream stream = stream("\n");
        stream.append(15043);
        assertThat(stream.append(BYTE_0 + '\n')).isEmpty();
        assertThat(stream.stopped()).isTrue();
    }

    @Test
    void finish_stopStringInHalfACharacter_isCutOff() {
        TextStream stream = stream("\uFFFD");
        assertThat(stream.append(15043)).isEqualTo("Hello");
        assertThat(stream.append(BYTE_0 + 0xF0)).isEmpty();
        assertThat(stream.stopped()).isFalse();
        assertThat(stream.finish()).isEmpty();
        assertThat(stream.stopped()).isTrue();
    }

    @Test
    void append_overlappingBeginnings_areAllTried() {
        assertThat(read("aaaaab", "aaab")).isEqualTo("aa");
        assertThat(read("abababac", "ababac")).isEqualTo("ab");
    }

    @Test
    void append_severalStopStrings_firstCompleteOneWins() {
        assertThat(read("xabcdy", "abcd", "bc")).isEqualTo("xa");
        assertThat(read("xabcdy", "bc", "abc")).isEqualTo("x");
    }

    @Test
    void append_halfASurrogatePairAsStopString_neverMatches() {
        assertThat(read("a\uD83D\uDE00b", "\uDE00", "\uD83D")).isEqualTo("a\uD83D\uDE00b");
    }

    @Test
    void append_emptyStopString_neverMatches() {
        assertThat(read("Hello", "")).isEqualTo("Hello");
    }

    @Test
    void append_specialTokens_areNoText() {
        TextStream stream = stream("Hello world");
        String text = stream.append(15043) + stream.append(2) + stream.append(32001) + stream.append(3186);
        assertThat(text).isEmpty();
        assertThat(stream.stopped()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void append_randomTextAndTokens_endsBeforeTheFirstStopString(int seed) {
        Random random = new Random(seed);
        for (int round = 0; round < 300; round++) {
            String text = randomText(random, 30);
            String[] stops = random.ints(1 + random.nextInt(3), 1, 5)
                    .mapToObj(length -> randomText(random, length))
                    .toArray(String[]::new);
            String expected = untilStop(text, stops);

            List<String> pieces = new ArrayList<>();
            TextStream stream = stream(stops);
            for (int id : randomTokens(random, text)) {
                pieces.add(stream.append(id));
            }
            pieces.add(stream.finish());

            String context = "seed %d, text '%s', stop %s".formatted(seed, text, Arrays.toString(stops));
            assertThat(String.join("", pieces)).as(context).isEqualTo(expected);
            assertThat(stream.stopped()).as(context).isEqualTo(!expected.equals(text));
            assertThat(expected).as(context).doesNotContain(stops);
            assertThat(pieces).as(context).allSatisfy(TextStreamTest::assertWholeCharacters);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void append_randomIds_giveTheTextOfAllIds(int seed) {
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            int[] ids = random.ints(30, 0, 400).toArray();
            TextStream stream = stream("a stop string that never comes", "\u0000\u0001\u0002\u0003");
            StringBuilder text = new StringBuilder();
            for (int id : ids) {
                text.append(stream.append(id));
            }
            assertThat(text.append(stream.finish())).as("seed %d", seed).hasToString(tokenizer.decode(ids, true));
        }
    }

    private static TextStream stream(String... stop) {
        return new TextStream(tokenizer.incrementalDecoder(), List.of(stop));
    }

    private static String read(String text, String... stop) {
        TextStream stream = stream(stop);
        String read = Arrays.stream(tokenizer.encodePlain(text))
                .mapToObj(stream::append)
                .collect(Collectors.joining());
        return read + stream.finish();
    }

    /** Text of few different characters, so that stop strings occur and nearly occur. */
    private static String randomText(Random random, int length) {
        String[] characters = {"a", "b", " ", "\n", "\uD83D\uDE00", "\uD83D\uDE01", "é"};
        return random.ints(length, 0, characters.length)
                .mapToObj(i -> characters[i])
                .collect(Collectors.joining());
    }

    /** Ids of the text after a dropped space, cut into random pieces that are encoded on their own, or as bytes. */
    private static int[] randomTokens(Random random, String text) {
        int[] codePoints = text.codePoints().toArray();
        List<Integer> ids = new ArrayList<>(List.of(29871));
        for (int start = 0; start < codePoints.length; ) {
            int end = Math.min(codePoints.length, start + 1 + random.nextInt(5));
            String piece = new String(codePoints, start, end - start);
            if (random.nextBoolean()) {
                for (byte value : piece.getBytes(StandardCharsets.UTF_8)) {
                    ids.add(BYTE_0 + (value & 0xFF));
                }
            } else {
                // a line feed is a byte of its own, so that the text after it starts no word
                int[] encoded = tokenizer.encodePlain("\n" + piece);
                Arrays.stream(encoded).skip(2).forEach(ids::add);
            }
            start = end;
        }
        return ids.stream().mapToInt(Integer::intValue).toArray();
    }

    /** The text before the stop string that is complete first, the longest one if several are. */
    private static String untilStop(String text, String... stops) {
        for (int end = 1; end <= text.length(); end++) {
            String prefix = text.substring(0, end);
            int longest = Arrays.stream(stops)
                    .filter(prefix::endsWith)
                    .mapToInt(String::length)
                    .max()
                    .orElse(0);
            if (longest > 0) {
                return prefix.substring(0, end - longest);
            }
        }
        return text;
    }

    private static void assertWholeCharacters(String text) {
        assertThat(text.codePoints().filter(c -> c >= 0xD800 && c <= 0xDFFF)).isEmpty();
    }
}
