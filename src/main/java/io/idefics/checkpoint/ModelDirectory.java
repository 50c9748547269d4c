package io.idefics.checkpoint;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A checkpoint directory in the published layout: configuration, tokenizer, and weights in one file or in shards with
 * an index, as safetensors or as torch files.
 */
public final class ModelDirectory {

    private static final long TOKENIZER_LIMIT = 100_000_000;

    /** Where weights are looked for; the first that exists is used. */
    private static final List<String> WEIGHT_FILES = List.of(
            "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json");

    private final Path path;
    private final IdeficsConfig config;
    private final GenerationConfig generationConfig;
    private final PreprocessorConfig preprocessorConfig;
    private final SpecialTokensMap specialTokensMap;

    private ModelDirectory(Path path) {
        this.path = path;
        this.config = IdeficsConfig.read(path.resolve("config.json"));
        this.generationConfig = GenerationConfig.read(path.resolve("generation_config.json"), config);
        this.preprocessorConfig = PreprocessorConfig.read(path.resolve("preprocessor_config.json"), config);
        this.specialTokensMap = SpecialTokensMap.read(path.resolve("special_tokens_map.json"));
        JsonFile.checkObject(tokenizerJson(), TOKENIZER_LIMIT);
    }

    /**
     * Reads the configuration files of a directory; the weights are left alone until {@link #openWeights}.
     *
     * @throws CheckpointException naming the directory or the file that is missing or unusable, and what is wrong
     */
    public static ModelDirectory open(Path path) {
        if (!Files.exists(path)) {
            throw new CheckpointException(path + ": no such model directory");
        } else if (!Files.isDirectory(path)) {
            throw new CheckpointException(path + ": is not a directory");
        }
        return new ModelDirectory(path);
    }

    public Path path() {
        return path;
    }

    public IdeficsConfig config() {
        return config;
    }

    public GenerationConfig generationConfig() {
        return generationConfig;
    }

    public PreprocessorConfig preprocessorConfig() {
        return preprocessorConfig;
    }

    public SpecialTokensMap specialTokensMap() {
        return specialTokensMap;
    }

    /** The tokenizer definition; the file exists and is well-formed JSON. */
    public Path tokenizerJson() {
        return path.resolve("tokenizer.json");
    }

    /**
     * Opens the weights and checks that they are those of the configuration.
     *
     * @throws CheckpointException naming the directory or file, and all tensors that are missing, unexpected or of the
     *     wrong shape or type
     */
    public CheckpointWeights openWeights() {
        Path file = WEIGHT_FILES.stream()
                .map(path::resolve)
                .filter(Files::exists)
                .findFirst()
                .orElseThrow(() -> new CheckpointException(
                        path + ": holds no weights, expected one of " + String.join(", ", WEIGHT_FILES)));
        if (!file.toString().endsWith(".index.json")) {
            return CheckpointWeights.open(List.of(file), null, config);
        }
        ShardIndex index = ShardIndex.read(file);
        return CheckpointWeights.open(index.shards(), index, config);
    }
}
