package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.checkpoint.WeightFile.TensorSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelDirectoryTest {

    @TempDir
    Path directory;

    @ParameterizedTest
    @FieldSource("io.idefics.checkpoint.TestModels#GOLDEN")
    void openWeights_goldenModel_mapsEveryExpectedTensor(String name) {
        ModelDirectory model = ModelDirectory.open(TestModels.golden(name));

        try (CheckpointWeights weights = model.openWeights()) {
            assertThat(weights.names())
                    .containsExactlyElementsOf(
                            IdeficsParameters.expected(model.config()).keySet());
            assertThat(weights.names()).allSatisfy(tensor -> {
                StoredTensor stored = weights.tensor(tensor);
                long elements = IdeficsParameters.elements(stored.shape());
                assertThat(stored.data().remaining())
                        .isEqualTo(elements * stored.type().byteSize());
                assertThat(stored.type()).isEqualTo(model.config().torchDtype());
            });
        }
        assertThat(model.tokenizerJson()).isRegularFile();
    }

    @Test
    void openWeights_embeddedModel_opens() {
        ModelDirectory model =
                ModelDirectory.open(Path.of("src", "main", "resources", "models", "idefics-mini-instruct"));

        try (CheckpointWeights weights = model.openWeights()) {
            assertThat(weights.names()).hasSizeGreaterThan(100);
        }
        assertThat(model.config().alphaType()).isEqualTo("vector");
        assertThat(model.preprocessorConfig().imageMean()).containsExactly(0.5, 0.5, 0.5);
        assertThat(model.specialTokensMap().padToken()).isEqualTo("<unk>");
    }

    @Test
    void openWeights_shardedTorchFiles_equalTheSingleOne() {
        try (CheckpointWeights single =
                        ModelDirectory.open(TestModels.golden("tiny-bin")).openWeights();
                CheckpointWeights sharded = ModelDirectory.open(TestModels.golden("tiny-bin-sharded"))
                        .openWeights()) {
            assertThat(sharded.names()).containsExactlyElementsOf(single.names());
            assertThat(single.names()).allSatisfy(name -> {
                assertThat(sharded.tensor(name).shape())
                        .isEqualTo(single.tensor(name).shape());
                assertThat(sharded.tensor(name).data())
                        .isEqualTo(single.tensor(name).data());
            });
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"config.json", "tokenizer.json", "model.safetensors"})
    void open_requiredFileMissingOrPointer_isNamed(String file) throws IOException {
        TestModels.copy("tiny-f32", directory);
        Files.delete(directory.resolve(file));
        assertThatThrownBy(this::openAll)
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContaining(file);

        Files.copy(TestModels.weights("lfs-pointer.safetensors"), directory.resolve(file));
        assertThatThrownBy(this::openAll)
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContainingAll(file, "git-lfs pointer");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "config.json",
                "generation_config.json",
                "preprocessor_config.json",
                "special_tokens_map.json",
                "tokenizer.json"
            })
    void open_cutJson_isNamed(String file) throws IOException {
        TestModels.copy("tiny-f32", directory);
        String content = Files.readString(directory.resolve(file));
        Files.writeString(directory.resolve(file), content.substring(0, content.length() / 2));

        assertThatThrownBy(() -> ModelDirectory.open(directory))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContainingAll(file, "malformed JSON");
    }

    @Test
    void open_noDirectory_isRefused() {
        assertThatThrownBy(() -> ModelDirectory.open(directory.resolve("nowhere")))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContaining("no such model directory");
        assertThatThrownBy(() -> ModelDirectory.open(TestModels.weights("ok.safetensors")))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContaining("is not a directory");
    }

    @Test
    void open_optionalFilesAbsent_takesTheModelsValues() throws IOException {
        TestModels.copy("tiny-f32", directory, "config", "tokenizer.json");

        ModelDirectory model = ModelDirectory.open(directory);

        assertThat(model.generationConfig()).isEqualTo(new GenerationConfig(1, List.of(2), 0));
        assertThat(model.preprocessorConfig())
                .isEqualTo(ModelDirectory.open(TestModels.golden("tiny-f32")).preprocessorConfig());
        assertThat(model.specialTokensMap()).isEqualTo(new SpecialTokensMap(null, null, null, null, List.of()));
    }

    @Nested
    class SmallFiles {

        @BeforeEach
        void copy() {
            TestModels.copy("tiny-bf16-sharded", directory);
        }

        @Test
        void open_goldenFiles_areTaken() {
            ModelDirectory model = ModelDirectory.open(directory);

            assertThat(model.generationConfig()).isEqualTo(new GenerationConfig(1, List.of(2), 0));
            assertThat(model.preprocessorConfig())
                    .isEqualTo(new PreprocessorConfig(
                            224,
                            List.of(0.48145466, 0.4578275, 0.40821073),
                            List.of(0.26862954, 0.26130258, 0.27577711)));
            assertThat(model.specialTokensMap())
                    .isEqualTo(new SpecialTokensMap(
                            "<s>",
                            "</s>",
                            "<unk>",
                            "<unk>",
                            List.of("<fake_token_around_image>", "<image>", "<end_of_utterance>")));
        }

        @Test
        void open_eosIdList_isTaken() {
            edit("generation_config.json", "{\"eos_token_id\": [2, 32002]}");

            assertThat(ModelDirectory.open(directory).generationConfig())
                    .isEqualTo(new GenerationConfig(1, List.of(2, 32002), 0));
        }

        @Test
        void open_preprocessorWithoutKeys_takesTheDefaultsOfTheReference() {
            PreprocessorConfig written = ModelDirectory.open(directory).preprocessorConfig();
            edit("preprocessor_config.json", "{}");

            assertThat(ModelDirectory.open(directory).preprocessorConfig()).isEqualTo(written);
        }

        @ParameterizedTest
        @CsvSource(
                delimiter = '|',
                quoteCharacter = '`',
                value = {
                    "preprocessor_config.json|{\"image_size\": 225}|image_size is 225, but vision_config.image_size",
                    "preprocessor_config.json|{\"image_mean\": [0.5]}|image_mean is not a list of 3 numbers",
                    "preprocessor_config.json|{\"image_mean\": [0.5, 0.5, \"a\"]}|image_mean is not a list of 3 numbers",
                    "preprocessor_config.json|{\"image_std\": [0.5, 0, 0.5]}|image_std is [0.5, 0.0, 0.5]",
                    "generation_config.json|{\"eos_token_id\": \"</s>\"}|eos_token_id is \"</s>\"",
                    "generation_config.json|{\"eos_token_id\": [2, 32003]}|eos_token_id is \"32003\"",
                    "special_tokens_map.json|{\"bos_token\": 1}|bos_token is \"1\"",
                    "special_tokens_map.json|{\"bos_token\": {\"text\": \"<s>\"}}|bos_token is an object",
                    "special_tokens_map.json|{\"additional_special_tokens\": \"a\"}|expected a list of tokens"
                })
        void open_unusableValue_isRefusedByFileAndKey(String file, String content, String message) {
            edit(file, content);

            assertThatThrownBy(() -> ModelDirectory.open(directory))
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll(file, message);
        }

        private void edit(String file, String content) {
            TestModels.edit(
                    directory.resolve(file), json -> json.removeAll().setAll((ObjectNode) TestModels.json(content)));
        }
    }

    @Nested
    class Weights {

        private Map<String, TensorSpec> tensors;

        @BeforeEach
        void copy() {
            TestModels.copy("tiny-bin", directory, "config", "tokenizer.json");
            tensors = new LinkedHashMap<>();
            IdeficsParameters.expected(IdeficsConfig.read(directory.resolve("config.json")))
                    .forEach((name, shape) -> tensors.put(name, new TensorSpec(TensorType.F16, shape)));
        }

        @Test
        void openWeights_expectedTensors_areAccepted() throws IOException {
            write();
            openAll();
        }

        @Test
        void openWeights_severalFaults_areListedInOneError() throws IOException {
            tensors.remove("model.norm.weight");
            tensors.put("surprise", new TensorSpec(TensorType.F32, new long[] {1}));
            tensors.put("lm_head.weight", new TensorSpec(TensorType.F32, new long[] {40, 1000}));
            tensors.put("model.embed_tokens.weight", new TensorSpec(TensorType.I64, new long[] {1000, 40}));
            write();

            assertThatThrownBy(ModelDirectoryTest.this::openAll)
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll(
                            "model.safetensors",
                            "\"model.norm.weight\" is missing",
                            "\"surprise\" in model.safetensors is not part of the model",
                            "\"lm_head.weight\" in model.safetensors has shape [40, 1000], expected [1000, 40]",
                            "\"model.embed_tokens.weight\" in model.safetensors has type I64");
        }

        @Test
        void openWeights_manyFaults_areCounted() throws IOException {
            int expected = tensors.size();
            tensors.keySet().removeIf(name -> !name.startsWith("lm_head"));
            write();

            assertThatThrownBy(ModelDirectoryTest.this::openAll)
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageEndingWith("and " + (expected - 2 - 20) + " more");
        }

        @Test
        void openWeights_gatesOfTheOtherShape_areAccepted() throws IOException {
            tensors.replaceAll((name, spec) ->
                    name.contains(".alpha_") ? new TensorSpec(TensorType.F32, new long[] {1, 1, 40}) : spec);
            write();
            openAll();
        }

        @Test
        void openWeights_legacyBuffers_areIgnored() throws IOException {
            tensors.put("model.layers.0.self_attn.rotary_emb.inv_freq", new TensorSpec(TensorType.F32, new long[] {4}));
            tensors.put(
                    "model.vision_model.embeddings.position_ids", new TensorSpec(TensorType.I64, new long[] {1, 17}));
            write();

            try (CheckpointWeights weights = ModelDirectory.open(directory).openWeights()) {
                assertThat(weights.names()).noneMatch(IdeficsParameters::isLegacyBuffer);
            }
        }

        @Test
        void openWeights_tiedHead_isTheEmbedding() throws IOException {
            TestModels.edit(directory.resolve("config.json"), json -> json.put("tie_word_embeddings", true));
            tensors.remove("lm_head.weight");
            tensors.remove("lm_head.additional_fc.weight");
            write();

            try (CheckpointWeights weights = ModelDirectory.open(directory).openWeights()) {
                assertThat(weights.tensor("lm_head.weight").shape()).containsExactly(1000, 40);
                assertThat(weights.tensor("lm_head.additional_fc.weight").shape())
                        .containsExactly(3, 40);
            }
        }

        @Test
        void openWeights_untiedHeadMissing_isRefused() throws IOException {
            tensors.remove("lm_head.weight");
            write();

            assertThatThrownBy(ModelDirectoryTest.this::openAll).hasMessageContaining("\"lm_head.weight\" is missing");
        }

        @Test
        void openWeights_severalLayouts_takesSafetensorsFirst() throws IOException {
            write();
            Files.write(directory.resolve("pytorch_model.bin"), new byte[] {1, 2, 3});
            openAll();

            Files.delete(directory.resolve("model.safetensors"));
            assertThatThrownBy(ModelDirectoryTest.this::openAll).hasMessageContaining("pytorch_model.bin");
        }

        @Test
        void tensor_unknownName_isRefused() throws IOException {
            write();
            try (CheckpointWeights weights = ModelDirectory.open(directory).openWeights()) {
                assertThatThrownBy(() -> weights.tensor("surprise"))
                        .isExactlyInstanceOf(CheckpointException.class)
                        .hasMessageContaining("\"surprise\"");
            }
        }

        private void write() throws IOException {
            SafetensorsWriter.writeZeros(directory.resolve("model.safetensors"), tensors);
        }
    }

    @Nested
    class Index {

        private static final String INDEX = "model.safetensors.index.json";
        private static final String TENSOR = "model.norm.weight";

        @BeforeEach
        void copy() {
            TestModels.copy("tiny-bf16-sharded", directory);
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "../model-00001-of-00003.safetensors",
                    "/etc/passwd",
                    "sub/model.safetensors",
                    "..\\model.safetensors",
                    "http://localhost/model.safetensors",
                    "..",
                    "",
                    ".hidden.safetensors",
                    "model-00001-of-00003.bin",
                    "config.json"
                })
        void openWeights_shardNameNotPlain_isRefused(String shard) {
            assign(shard);

            assertThatThrownBy(ModelDirectoryTest.this::openAll)
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll(INDEX, TENSOR, "the plain name of a .safetensors file");
        }

        @Test
        void openWeights_shardMissing_isNamed() {
            assign("model-00004-of-00003.safetensors");

            assertThatThrownBy(ModelDirectoryTest.this::openAll)
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll(INDEX, "1 of its 4 files", "model-00004-of-00003.safetensors");
        }

        @Test
        void openWeights_tensorInAnotherShard_isRefused() throws IOException {
            String text = Files.readString(directory.resolve(INDEX));
            String actual =
                    TestModels.json(text).path("weight_map").path(TENSOR).asText();
            assign(actual.contains("00001") ? "model-00002-of-00003.safetensors" : "model-00001-of-00003.safetensors");

            assertThatThrownBy(ModelDirectoryTest.this::openAll)
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll(INDEX, TENSOR, "as the index says");
        }

        @Test
        void openWeights_tensorTwice_isRefused() throws IOException {
            SafetensorsWriter.writeZeros(
                    directory.resolve("more.safetensors"),
                    Map.of(
                            TENSOR,
                            new TensorSpec(TensorType.BF16, new long[] {32}),
                            "lm_head.weight",
                            new TensorSpec(TensorType.BF16, new long[] {32000, 32})));
            assign("more.safetensors");

            assertThatThrownBy(ModelDirectoryTest.this::openAll)
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll("\"lm_head.weight\" is both in", "more.safetensors");
        }

        @Test
        void openWeights_lyingTotalSize_isIgnored() {
            TestModels.edit(directory.resolve(INDEX), json -> json.withObject("/metadata")
                    .put("total_size", Long.MAX_VALUE));
            openAll();
        }

        @ParameterizedTest
        @ValueSource(
                strings = {"{}", "{\"weight_map\": {}}", "{\"weight_map\": []}", "{\"weight_map\": {\"a\": 5}}", "{"})
        void openWeights_noWeightMap_isRefused(String content) throws IOException {
            Files.writeString(directory.resolve(INDEX), content);

            assertThatThrownBy(ModelDirectoryTest.this::openAll)
                    .isExactlyInstanceOf(CheckpointException.class)
                    .hasMessageContaining(INDEX);
        }

        private void assign(String shard) {
            TestModels.edit(directory.resolve(INDEX), json -> json.withObject("/weight_map")
                    .put(TENSOR, shard));
        }
    }

    private void openAll() {
        try (CheckpointWeights weights = ModelDirectory.open(directory).openWeights()) {
            weights.names().forEach(weights::tensor);
        }
    }
}
