package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SyntheticCheckpointTest {

    @TempDir
    Path directory;

    @Test
    void write_tinyConfigInSmallShards_opensAsThatModel() throws IOException {
        Path tiny = TestModels.golden("tiny-80b-style");
        ObjectNode config = (ObjectNode)
                new ObjectMapper().readTree(tiny.resolve("config.json").toFile());

        SyntheticCheckpoint.write(config, directory, tiny, 500_000);

        ModelDirectory model = ModelDirectory.open(directory);
        assertThat(model.config()).isEqualTo(ModelDirectory.open(tiny).config());
        assertThat(model.specialTokensMap().additionalSpecialTokens())
                .containsExactly("<fake_token_around_image>", "<image>");
        assertThat(directory.toFile().listFiles((parent, name) -> name.endsWith(".safetensors")))
                .hasSizeGreaterThan(4)
                .allSatisfy(shard -> assertThat(shard.length()).isLessThan(520_000));
        try (CheckpointWeights weights = model.openWeights()) {
            assertThat(weights.names())
                    .containsExactlyElementsOf(
                            IdeficsParameters.expected(model.config()).keySet());
            assertThat(standardDeviation(weights.tensor("lm_head.weight"))).isBetween(0.0195, 0.0205);
            assertThat(value(weights.tensor("model.norm.weight"), 5)).isEqualTo(1f);
            assertThat(value(weights.tensor("model.gated_cross_attn_layers.0.alpha_dense"), 0))
                    .isEqualTo(0.5f);
        }
    }

    @Test
    void write_baseVocabulary_dropsAddedTokensWithoutRows() throws IOException {
        Path tiny = TestModels.golden("tiny-bin");
        ObjectNode config = (ObjectNode)
                new ObjectMapper().readTree(tiny.resolve("config.json").toFile());
        config.put("additional_vocab_size", 2);

        SyntheticCheckpoint.write(config, directory, tiny, SyntheticCheckpoint.SHARD_BYTES);

        assertThat(Files.readString(directory.resolve("tokenizer.json"))).doesNotContain("<end_of_utterance>");
        assertThat(Files.readString(directory.resolve("special_tokens_map.json")))
                .doesNotContain("<end_of_utterance>");
        assertThat(directory.resolve("model-00001-of-00001.safetensors")).exists();
    }

    private static double standardDeviation(StoredTensor tensor) {
        int elements = tensor.data().remaining() / 2;
        double squares = 0;
        for (int i = 0; i < elements; i++) {
            squares += Math.pow(value(tensor, i), 2);
        }
        return Math.sqrt(squares / elements);
    }

    private static float value(StoredTensor tensor, int index) {
        return Float.intBitsToFloat(tensor.data().getShort(2 * index) << 16);
    }
}
