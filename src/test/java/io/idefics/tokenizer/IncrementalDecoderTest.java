package io.idefics.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IncrementalDecoderTest {

    /** Ids of the byte tokens follow the three control tokens. */
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

    static String decodeOneByOne(IdeficsTokenizer tokenizer, int... ids) {
        IncrementalDecoder decoder = tokenizer.incrementalDecoder();
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            String piece = decoder.append(id);
            assertWholeCharacters(piece);
            text.append(piece);
        }
        return text.append(decoder.finish()).toString();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void append_randomIds_givesTextOfAllIds(int seed) {
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            int[] ids = random.ints(random.nextInt(40), 0, 10)
                    .map(kind -> randomId(random, kind))
                    .toArray();
            assertThat(decodeOneByOne(tokenizer, ids))
                    .as("seed %d, ids %s", seed, ids)
                    .isEqualTo(tokenizer.decode(ids, true));
        }
    }

    @Test
    void append_bytesOfACharacter_areHeldUntilTheRunEnds() {
        IncrementalDecoder decoder = tokenizer.incrementalDecoder();
        int[] grin = bytes(0xF0, 0x9F, 0x98, 0x80);
        for (int id : grin) {
            assertThat(decoder.append(id)).isEmpty();
        }
        assertThat(decoder.pending()).isEqualTo("\uD83D\uDE00");
        assertThat(decoder.append(15043)).isEqualTo("\uD83D\uDE00 Hello");
        assertThat(decoder.pending()).isEmpty();
    }

    @Test
    void append_specialTokenInsideARunOfBytes_doesNotEndTheRun() {
        int[] ids = {BYTE_0 + 0xC3, 2, BYTE_0 + 0xA9};
        assertThat(decodeOneByOne(tokenizer, ids)).isEqualTo("é").isEqualTo(tokenizer.decode(ids, true));
    }

    @Test
    void pending_halfACharacter_isEmpty() {
        IncrementalDecoder decoder = tokenizer.incrementalDecoder();
        decoder.append(BYTE_0 + 0xC3);
        assertThat(decoder.pending()).isEmpty();
        assertThat(decoder.finish()).isEqualTo("\uFFFD");
        assertThat(decoder.finish()).isEmpty();
    }

    @Test
    void pending_spaceAtTheBeginning_isDroppedAsInTheText() {
        IncrementalDecoder decoder = tokenizer.incrementalDecoder();
        decoder.append(BYTE_0 + ' ');
        decoder.append(BYTE_0 + 'a');
        assertThat(decoder.pending()).isEqualTo("a");
        assertThat(decoder.finish()).isEqualTo("a");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, Integer.MIN_VALUE, Integer.MAX_VALUE, 32003, 0, 1, 2, 32000, 32001, 32002})
    void append_idWithoutText_givesNothing(int id) {
        assertThat(decodeOneByOne(tokenizer, 15043, id, 3186)).isEqualTo("Hello world");
    }

    @Test
    void append_longRunOfBytes_isOneText() {
        int[] ids = new int[200_000];
        Arrays.fill(ids, BYTE_0 + 'x');
        assertThat(decodeOneByOne(tokenizer, ids)).hasSize(ids.length);
    }

    private static int randomId(Random random, int kind) {
        return switch (kind) {
            case 0, 1, 2 -> BYTE_0 + random.nextInt(256);
            case 3, 4 -> BYTE_0 + 0x80 + random.nextInt(0x40);
            case 5 -> new int[] {0, 1, 2, 32000, 32001, 32002}[random.nextInt(6)];
            case 6 -> 29871;
            case 7 -> 32003 + random.nextInt(1000);
            default -> random.nextInt(32000);
        };
    }

    private static int[] bytes(int... values) {
        return Arrays.stream(values).map(value -> BYTE_0 + value).toArray();
    }

    private static void assertWholeCharacters(String text) {
        assertThat(text.codePoints().filter(c -> c >= 0xD800 && c <= 0xDFFF)).isEmpty();
    }
}
