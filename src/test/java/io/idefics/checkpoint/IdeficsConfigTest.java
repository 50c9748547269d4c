package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.checkpoint.IdeficsConfig.PerceiverConfig;
import io.idefics.checkpoint.IdeficsConfig.VisionConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class IdeficsConfigTest {

    @TempDir
    Path directory;

    @Test
    void read_everyKeyGiven_takesIt() {
        IdeficsConfig config = golden("tiny-80b-style");

        assertThat(config)
                .isEqualTo(new IdeficsConfig(
                        1000,
                        2,
                        96,
                        264,
                        8,
                        6,
                        4,
                        1e-5,
                        "silu",
                        true,
                        true,
                        "float",
                        false,
                        0,
                        1,
                        List.of(2),
                        2048,
                        TensorType.F16,
                        new VisionConfig(40, 42, 160, 14, 3, 5, 3, 1e-5, "gelu"),
                        new PerceiverConfig(8, 3, 2, 12, true)));
        assertThat(config.headDim()).isEqualTo(16);
        assertThat(config.gatedBlocks()).isEqualTo(2);
        assertThat(config.totalVocabSize()).isEqualTo(1002);
        assertThat(config.imageTokens()).isEqualTo(8);
    }

    @Test
    void read_onlyRequiredKeys_takesTheDefaultsOfTheReference() throws IOException {
        IdeficsConfig config = read(
                """
                {"model_type": "idefics", "vocab_size": 100, "hidden_size": 8, "intermediate_size": 16,
                 "num_hidden_layers": 2, "num_attention_heads": 2}""");

        assertThat(config)
                .isEqualTo(new IdeficsConfig(
                        100,
                        0,
                        8,
                        16,
                        2,
                        2,
                        1,
                        1e-6,
                        "silu",
                        false,
                        false,
                        "float",
                        false,
                        0,
                        1,
                        List.of(2),
                        2048,
                        null,
                        new VisionConfig(768, 224, 5120, 14, 32, 16, 3, 1e-5, "gelu"),
                        new PerceiverConfig(64, 6, 16, 96, false)));
        assertThat(config.imageTokens()).isEqualTo(257);
    }

    @Test
    void read_noResampler_ignoresTheKeyInsidePerceiverConfig() throws IOException {
        ObjectNode json = SyntheticCheckpoint.publishedConfig("9b");
        json.put("use_resampler", false);
        json.withObject("/perceiver_config").put("use_resampler", true);

        assertThat(read(json.toString()).useResampler()).isFalse();
        assertThat(golden("tiny-noresampler").imageTokens()).isEqualTo(17);
    }

    @ParameterizedTest
    @CsvSource({
        "/max_position_embeddings, 512, 512",
        "/max_sequence_length, 1024, 1024",
        "/max_sequence_length, 4096, 2048",
        "/max_sequence_length, null, 2048"
    })
    void read_contextLength_isTheSmallerOfBothKeys(String key, String value, int expected) throws IOException {
        assertThat(read(edited(key, value)).contextLength()).isEqualTo(expected);
    }

    @Test
    void read_listOfEosIdsAndNewDtypeKey_areTaken() throws IOException {
        ObjectNode json = SyntheticCheckpoint.publishedConfig("9b-instruct");
        json.putArray("eos_token_id").add(2).add(32002);
        json.remove("torch_dtype");
        json.put("dtype", "float32");

        IdeficsConfig config = read(json.toString());

        assertThat(config.eosTokenIds()).containsExactly(2, 32002);
        assertThat(config.torchDtype()).isEqualTo(TensorType.F32);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gelu", "quick_gelu", "gelu_new", "gelu_pytorch_tanh", "relu"})
    void read_supportedVisionActivation_isTaken(String activation) throws IOException {
        assertThat(read(edited("/vision_config/hidden_act", '"' + activation + '"'))
                        .visionConfig()
                        .hiddenAct())
                .isEqualTo(activation);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "/model_type|\"idefics2\"|key model_type is \"idefics2\"",
                "/model_type|null|key model_type is missing",
                "/hidden_size|null|key hidden_size is missing",
                "/hidden_size|0|key hidden_size is \"0\", expected a whole number from 1 to",
                "/hidden_size|-4096|key hidden_size is \"-4096\"",
                "/hidden_size|4096.5|key hidden_size",
                "/hidden_size|\"4096\"|key hidden_size",
                "/hidden_size|99999999999|key hidden_size",
                "/hidden_size|[]|key hidden_size is a list",
                "/num_hidden_layers|1000000000|key num_hidden_layers",
                "/num_hidden_layers|30|key cross_layer_interval is 4, expected a divisor of num_hidden_layers 30",
                "/cross_layer_interval|0|key cross_layer_interval",
                "/num_attention_heads|3|key num_attention_heads is 3, expected a divisor of hidden_size 4096",
                "/num_attention_heads|4096|heads of even width",
                "/rms_norm_eps|0|key rms_norm_eps",
                "/rms_norm_eps|\"1e-6\"|key rms_norm_eps",
                "/rms_norm_eps|1e999|key rms_norm_eps",
                "/qk_layer_norms|1|key qk_layer_norms is \"1\", expected true or false",
                "/alpha_type|\"scalar\"|key alpha_type is \"scalar\", expected one of [float, vector]",
                "/hidden_act|\"gelu\"|key hidden_act is \"gelu\", expected \"silu\"",
                "/eos_token_id|32003|key eos_token_id is \"32003\", expected a whole number from 0 to 32002",
                "/pad_token_id|-1|key pad_token_id",
                "/torch_dtype|\"float8\"|key torch_dtype",
                "/vision_config|5|key vision_config is \"5\", expected an object",
                "/vision_config/hidden_act|\"swish\"|key vision_config.hidden_act is \"swish\", expected one of [gelu, quick",
                "/vision_config/patch_size|15|key vision_config.patch_size is 15, expected a divisor of image_size 224",
                "/vision_config/num_attention_heads|7|key vision_config.num_attention_heads is 7, expected a divisor of",
                "/vision_config/num_channels|1|key vision_config.num_channels",
                "/vision_config/image_size|100000|key vision_config.image_size",
                "/perceiver_config/resampler_depth|0|key perceiver_config.resampler_depth"
            })
    void read_unusableValue_isRefusedByKey(String key, String value, String message) {
        assertThatThrownBy(() -> read(edited(key, value)))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContainingAll("config.json", message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "``|an empty file",
                "{\"model_type\": \"ide|malformed JSON",
                "{} {}|malformed JSON",
                "[]|expected a JSON object",
                "{\"a\": 1, \"a\": 2}|malformed JSON",
                "<html>|an HTML or XML page",
                "version https://git-lfs.github.com/spec/v1|git-lfs pointer"
            })
    void read_noJsonObject_isRefusedByFile(String content, String message) {
        assertThatThrownBy(() -> read(content))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContainingAll("config.json", message);
    }

    @Test
    void read_hugeOrDeepFile_isRefused() {
        assertThatThrownBy(() -> read(" ".repeat(1_000_001)))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContaining("the limit is 1000000");
        assertThatThrownBy(() -> read("{\"a\":" + "[".repeat(400_000)))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContaining("malformed JSON");
    }

    @Test
    void architectureName_otherSizes_tellsTheParameters() throws IOException {
        assertThat(golden("tiny-bin").architectureName()).isEqualTo("IDEFICS (0.2M parameters)");
        assertThat(golden("tiny-bin").recognisedAs()).isNull();
        assertThat(read(edited("/vision_config/patch_size", "16")).architectureName())
                .isEqualTo("IDEFICS (8.9B parameters)");
    }

    private static IdeficsConfig golden(String model) {
        return IdeficsConfig.read(TestModels.golden(model).resolve("config.json"));
    }

    private IdeficsConfig read(String json) throws IOException {
        return IdeficsConfig.read(Files.writeString(directory.resolve("config.json"), json, StandardCharsets.UTF_8));
    }

    /** The 9B instruct configuration with one value changed. */
    private static String edited(String pointer, String value) {
        ObjectNode json = SyntheticCheckpoint.publishedConfig("9b-instruct");
        int slash = pointer.lastIndexOf('/');
        ObjectNode parent = slash == 0 ? json : json.withObject(pointer.substring(0, slash));
        parent.set(pointer.substring(slash + 1), TestModels.json(value));
        return json.toString();
    }
}
