package io.idefics.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdeficsTokenizerTest {

    private static final List<String> PIECES = List.of(
            "Hello",
            " ",
            "  ",
            "\n",
            "\t",
            "\u2581",
            "<",
            ">",
            "s",
            "image",
            "</",
            "<0x0A>",
            "é",
            "中",
            "\uD83D\uDE00",
            "\uD83D\uDC68\u200D\uD83D\uDC69",
            "\u0000",
            "\uFFFD",
            "123",
            ".",
            "User:",
            "\r\n",
            "\u0301",
            "\uFEFF");

    private static IdeficsTokenizer tokenizer;

    @TempDir
    private Path directory;

    @BeforeAll
    static void load() {
        tokenizer = ReferenceData.tokenizer("tiny-bf16-sharded");
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    @Test
    void piece_everyKind_isItsOwnTextAndBytes() {
        TokenPiece word = tokenizer.piece(15043);
        assertThat(word.text()).isEqualTo(" Hello");
        assertThat(word.bytes()).isEqualTo(" Hello".getBytes(StandardCharsets.UTF_8));
        TokenPiece lineFeed = tokenizer.piece(3 + 0x0A);
        assertThat(lineFeed.text()).isEqualTo("\n");
        assertThat(lineFeed.bytes()).containsExactly(0x0A);
        TokenPiece half = tokenizer.piece(3 + 0xC3);
        assertThat(half.text()).isEqualTo("\\xc3");
        assertThat(half.bytes()).containsExactly(0xC3);
        TokenPiece special = tokenizer.piece(32001);
        assertThat(special.text()).isEqualTo("<image>");
        assertThat(special.bytes()).isNull();
        for (int unknown : new int[] {-1, 32_003, Integer.MAX_VALUE}) {
            assertThat(tokenizer.piece(unknown)).isEqualTo(new TokenPiece("", null));
        }
    }

    @Test
    void specialTokens_instructModel_areThoseOfTheFile() {
        assertThat(tokenizer.specialTokens())
                .isEqualTo(new SpecialTokens(1, 2, 0, 32000, 32001, OptionalInt.of(32002)));
        assertThat(tokenizer.vocabularySize()).isEqualTo(32003);
        assertThat(tokenizer.maxId()).isEqualTo(32002);
    }

    @Test
    void specialTokens_baseModel_hasNoEndOfUtterance() {
        try (IdeficsTokenizer base = ReferenceData.tokenizer("tiny-80b-style")) {
            assertThat(base.specialTokens()).isEqualTo(new SpecialTokens(1, 2, 0, 1000, 1001, OptionalInt.empty()));
            assertThat(base.vocabularySize()).isEqualTo(1002);
        }
    }

    @Test
    void encode_longText_isNotTruncated() {
        assertThat(tokenizer.encode("word ".repeat(20_000))).hasSizeGreaterThan(20_000);
        assertThat(tokenizer.encodePlain("word ".repeat(20_000))).hasSizeGreaterThan(20_000);
    }

    @Test
    void encode_textLongerThanTheLimit_isRefused() {
        String longest = "\uD83D\uDE00".repeat(IdeficsTokenizer.MAX_TEXT_LENGTH / 2);
        assertThat(tokenizer.encodePlain(longest)).hasSize(2 * IdeficsTokenizer.MAX_TEXT_LENGTH + 1);
        assertThatThrownBy(() -> tokenizer.encode(longest + "a")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void load_vocabularyWithoutAByte_isRefused() throws IOException {
        assertRefused(edited(root -> ((ObjectNode) root.at("/model/vocab")).remove("<0x7F>")), "<0x7F>");
    }

    @Test
    void encode_fileThatAsksForTruncationAndPadding_doesNeither() throws IOException {
        Path file = edited(root -> {
            root.putObject("truncation")
                    .put("direction", "Right")
                    .put("max_length", 3)
                    .put("strategy", "LongestFirst")
                    .put("stride", 0);
            ObjectNode padding = root.putObject("padding");
            padding.putObject("strategy").put("Fixed", 64);
            padding.put("direction", "Left")
                    .putNull("pad_to_multiple_of")
                    .put("pad_id", 0)
                    .put("pad_type_id", 0)
                    .put("pad_token", "<unk>");
        });
        try (IdeficsTokenizer edited = IdeficsTokenizer.load(file);
                IdeficsTokenizer original = ReferenceData.tokenizer("tiny-f32")) {
            assertThat(edited.encode("one two three four five")).isEqualTo(original.encode("one two three four five"));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"<image>", "<fake_token_around_image>", "<end_of_utterance>", "</s>", "<s>", "<unk>", "a<image>b"
            })
    void encodePlain_specialTokenInText_staysText(String text) {
        assertThat(tokenizer.containsSpecialToken(text)).isTrue();
        assertThat(tokenizer.encodePlain(text)).isNotEmpty().doesNotContain(0, 1, 2, 32000, 32001, 32002);
        assertThat(tokenizer.decode(tokenizer.encodePlain(text), true)).isEqualTo(text);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void encodePlain_textWithoutSpecialTokens_equalsEncodeAndDecodesToTheText(int seed) {
        Random random = new Random(seed);
        for (int round = 0; round < 200; round++) {
            String text = random.ints(random.nextInt(12), 0, PIECES.size())
                    .mapToObj(PIECES::get)
                    .collect(Collectors.joining());
            if (!tokenizer.containsSpecialToken(text)) {
                int[] ids = tokenizer.encode(text);
                assertThat(tokenizer.encodePlain(text))
                        .as("seed %d: %s", seed, text)
                        .isEqualTo(ids);
                assertThat(ids).hasSizeGreaterThanOrEqualTo(tokenizer.leastTokens(text));
                assertThat(tokenizer.decode(ids, true)).as("seed %d", seed).isEqualTo(text.replace('\u2581', ' '));
            }
        }
    }

    @Test
    void encode_unpairedSurrogates_becomeReplacementCharacters() {
        String text = "a\uD83D b\uDE00 \uD83D\uDE00 \uDE00\uD83D";
        String readable = "a\uFFFD b\uFFFD \uD83D\uDE00 \uFFFD\uFFFD";
        assertThat(tokenizer.encode(text)).isEqualTo(tokenizer.encode(readable));
        assertThat(tokenizer.decode(tokenizer.encodePlain(text), true)).isEqualTo(readable);
    }

    @Test
    void encode_severalThreads_giveTheSameIds() throws InterruptedException, ExecutionException {
        String text = "User: What is in this image? \uD83D\uDE00<image>";
        int[] expected = tokenizer.encode(text);
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            List<Future<int[]>> results = new ArrayList<>();
            for (int i = 0; i < 400; i++) {
                results.add(threads.submit(() -> tokenizer.encode(text)));
            }
            for (Future<int[]> result : results) {
                assertThat(result.get()).isEqualTo(expected);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void encode_afterClose_fails() {
        IdeficsTokenizer closed = ReferenceData.tokenizer("tiny-f32");
        closed.close();
        closed.close();
        assertThatThrownBy(() -> closed.encode("a")).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> closed.decode(new int[] {1}, true)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void load_missingFile_namesTheFile() {
        assertRefused(directory.resolve("nowhere.json"), "nowhere.json");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "null", "{}", "{\"model\": {\"type\": \"BPE\"}}", "\u0000", "[[[[[["})
    void load_corruptFile_namesTheFile(String content) throws IOException {
        Path file = Files.writeString(directory.resolve("tokenizer.json"), content);
        assertRefused(file, "tokenizer.json");
    }

    @Test
    void load_truncatedFile_isRefused() throws IOException {
        byte[] bytes = Files.readAllBytes(ReferenceData.path("golden/models/tiny-f32/tokenizer.json"));
        Path file = Files.write(directory.resolve("tokenizer.json"), Arrays.copyOf(bytes, bytes.length / 2));
        assertRefused(file, "not valid JSON");
    }

    @Test
    void load_hugeFile_isRefusedUnread() throws IOException {
        Path file = directory.resolve("tokenizer.json");
        try (var channel = FileChannel.open(
                file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, StandardOpenOption.SPARSE)) {
            channel.write(ByteBuffer.wrap(new byte[1]), 1L << 31);
        }
        assertRefused(file, "more than");
    }

    @ParameterizedTest
    @ValueSource(strings = {"<s>", "</s>", "<unk>", "<fake_token_around_image>", "<image>"})
    void load_withoutRequiredSpecialToken_namesIt(String missing) throws IOException {
        Path file = edited(root -> {
            ArrayNode tokens = (ArrayNode) root.get("added_tokens");
            for (int i = tokens.size() - 1; i >= 0; i--) {
                if (tokens.get(i).get("content").asText().equals(missing)) {
                    tokens.remove(i);
                }
            }
        });
        assertRefused(file, missing);
    }

    @Test
    void load_specialTokenWithTheIdOfAnother_isRefused() throws IOException {
        Path file = edited(root -> ((ObjectNode) root.get("added_tokens").get(1)).put("id", 17));
        assertRefused(file, "<s>");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "1.5", "4000000000", "2000000", "\"7\"", "null"})
    void load_idOutOfRange_isRefused(String id) throws IOException {
        Path file = edited(root -> {
            try {
                ((ObjectNode) root.at("/model/vocab")).set("new", new ObjectMapper().readTree(id));
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
        assertRefused(file, "token id " + id);
    }

    @Test
    void load_mergeOfUnknownTokens_isRefused() throws IOException {
        Path file = edited(root -> ((ArrayNode) root.at("/model/merges")).add("zzzz qqqq"));
        assertRefused(file, "not a usable tokenizer");
    }

    @ParameterizedTest
    @ValueSource(strings = {"continuing_subword_prefix", "end_of_word_suffix", "dropout"})
    void load_optionThatLlamaLacks_isRefused(String option) throws IOException {
        assertRefused(edited(root -> ((ObjectNode) root.get("model")).put(option, "0.5 <image>")), option);
    }

    @Test
    void load_anotherDecoder_isRefused() throws IOException {
        Path file = edited(root -> root.putObject("decoder").put("type", "ByteLevel"));
        assertRefused(file, "decoder");
    }

    private void assertRefused(Path file, String message) {
        assertThatThrownBy(() -> IdeficsTokenizer.load(file).close())
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining(message);
    }

    /** A copy of a small tokenizer with a change. */
    private Path edited(Consumer<ObjectNode> change) throws IOException {
        ObjectNode root = (ObjectNode) ReferenceData.json("golden/models/tiny-f32/tokenizer.json");
        change.accept(root);
        return Files.writeString(directory.resolve("tokenizer.json"), root.toString());
    }
}
