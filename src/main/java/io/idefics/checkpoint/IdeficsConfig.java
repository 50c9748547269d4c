package io.idefics.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The architecture of a checkpoint as its config.json states it; absent keys take the defaults of the reference class
 * {@code IdeficsConfig}, keys that only matter in training are ignored.
 *
 * @param vocabSize rows of the base embedding; ids from here on use the additional embedding
 * @param additionalVocabSize rows of the additional embedding, 0 when there is none
 * @param numAttentionHeads heads of the decoder and of the gated cross-attention; they divide {@code hiddenSize}
 * @param crossLayerInterval decoder layers per gated cross-attention block; divides {@code numHiddenLayers}
 * @param qkLayerNorms whether the cross-attention normalises queries and keys
 * @param useResampler whether images pass the perceiver resampler (the top-level key; the one inside
 *     perceiver_config means nothing)
 * @param alphaType "float" or "vector", the shape of the gates
 * @param tieWordEmbeddings whether the head reuses the embedding matrices
 * @param contextLength the most tokens of a sequence: the smaller of max_position_embeddings and max_sequence_length,
 *     2048 where neither is given
 * @param torchDtype the type the weights were saved in, if stated
 */
public record IdeficsConfig(
        int vocabSize,
        int additionalVocabSize,
        int hiddenSize,
        int intermediateSize,
        int numHiddenLayers,
        int numAttentionHeads,
        int crossLayerInterval,
        double rmsNormEps,
        String hiddenAct,
        boolean qkLayerNorms,
        boolean useResampler,
        String alphaType,
        boolean tieWordEmbeddings,
        int padTokenId,
        int bosTokenId,
        List<Integer> eosTokenIds,
        int contextLength,
        @Nullable TensorType torchDtype,
        VisionConfig visionConfig,
        PerceiverConfig perceiverConfig) {

    private static final int MAX_WIDTH = 1 << 17;
    private static final int MAX_LAYERS = 1024;
    private static final int MAX_VOCABULARY = 1 << 24;
    private static final int DEFAULT_CONTEXT_LENGTH = 2048;
    private static final Map<String, TensorType> DTYPES =
            Map.of("float32", TensorType.F32, "float16", TensorType.F16, "bfloat16", TensorType.BF16);

    /**
     * Reads and checks a config.json.
     *
     * @throws CheckpointException naming the file and the key that is missing, malformed or unsupported
     */
    public static IdeficsConfig read(Path file) {
        JsonSection json = JsonFile.readObject(file, JsonFile.CONFIG_LIMIT);
        checkModelType(json);
        int vocabSize = json.size("vocab_size", MAX_VOCABULARY);
        int additionalVocabSize = json.integer("additional_vocab_size", 0, MAX_VOCABULARY, 0);
        int lastId = vocabSize + additionalVocabSize - 1;
        IdeficsConfig config = new IdeficsConfig(
                vocabSize,
                additionalVocabSize,
                json.size("hidden_size", MAX_WIDTH),
                json.size("intermediate_size", MAX_WIDTH),
                json.size("num_hidden_layers", MAX_LAYERS),
                json.size("num_attention_heads", MAX_WIDTH),
                json.integer("cross_layer_interval", 1, MAX_LAYERS, 1),
                json.positive("rms_norm_eps", 1e-6),
                json.choice("hidden_act", List.of("silu"), "silu"),
                json.flag("qk_layer_norms", false),
                json.flag("use_resampler", false),
                json.choice("alpha_type", List.of("float", "vector"), "float"),
                json.flag("tie_word_embeddings", false),
                json.integer("pad_token_id", 0, lastId, 0),
                json.integer("bos_token_id", 0, lastId, 1),
                json.integers("eos_token_id", 0, lastId, List.of(2)),
                contextLength(json),
                torchDtype(json),
                VisionConfig.of(json.section("vision_config")),
                PerceiverConfig.of(json.section("perceiver_config")));
        config.check(json);
        return config;
    }

    /** Width of one attention head. */
    public int headDim() {
        return hiddenSize / numAttentionHeads;
    }

    /** Number of gated cross-attention blocks; block g runs before decoder layer g * crossLayerInterval. */
    public int gatedBlocks() {
        return numHiddenLayers / crossLayerInterval;
    }

    /** All token ids the model knows: base and additional vocabulary. */
    public int totalVocabSize() {
        return vocabSize + additionalVocabSize;
    }

    /** States that the decoder sees for each image: resampler latents, or all vision tokens without a resampler. */
    public int imageTokens() {
        return useResampler ? perceiverConfig.nLatents() : visionConfig.positions();
    }

    /** The published model whose sizes these are, null for any other. */
    public @Nullable PublishedModel recognisedAs() {
        return PublishedModel.of(this);
    }

    /** A name for people: that of the published model, or the size, such as {@code IDEFICS (5.1M parameters)}. */
    public String architectureName() {
        PublishedModel published = recognisedAs();
        if (published != null) {
            return published.displayName();
        }
        double millions = IdeficsParameters.count(this) / 1e6;
        String size = millions < 1000
                ? String.format(Locale.ROOT, "%.1fM", millions)
                : String.format(Locale.ROOT, "%.1fB", millions / 1000);
        return "IDEFICS (" + size + " parameters)";
    }

    private void check(JsonSection json) {
        if (hiddenSize % numAttentionHeads != 0 || headDim() % 2 != 0) {
            throw json.invalid(
                    "num_attention_heads",
                    "is " + numAttentionHeads + ", expected a divisor of hidden_size " + hiddenSize
                            + " that leaves heads of even width");
        }
        if (numHiddenLayers % crossLayerInterval != 0) {
            throw json.invalid(
                    "cross_layer_interval",
                    "is " + crossLayerInterval + ", expected a divisor of num_hidden_layers " + numHiddenLayers);
        }
    }

    private static void checkModelType(JsonSection json) {
        JsonNode modelType = json.required("model_type");
        if (!"idefics".equals(modelType.textValue())) {
            throw json.wrong("model_type", modelType, "\"idefics\" (later generations are other architectures)");
        }
    }

    private static int contextLength(JsonSection json) {
        int positions = json.integer("max_position_embeddings", 1, Integer.MAX_VALUE, Integer.MAX_VALUE);
        int sequence = json.integer("max_sequence_length", 1, Integer.MAX_VALUE, Integer.MAX_VALUE);
        int shorter = Math.min(positions, sequence);
        return shorter == Integer.MAX_VALUE ? DEFAULT_CONTEXT_LENGTH : shorter;
    }

    private static @Nullable TensorType torchDtype(JsonSection json) {
        String key = json.value("torch_dtype") == null ? "dtype" : "torch_dtype";
        String name = json.choice(key, List.of("float32", "float16", "bfloat16"), "");
        return DTYPES.get(name);
    }

    /**
     * The vision transformer.
     *
     * @param embedDim width of the residual stream and of the image states handed to the decoder
     * @param imageSize side of the square input in pixels; a multiple of {@code patchSize}
     * @param hiddenAct gelu (the exact one), quick_gelu, gelu_new or gelu_pytorch_tanh (one tanh formula), or relu
     */
    public record VisionConfig(
            int embedDim,
            int imageSize,
            int intermediateSize,
            int patchSize,
            int numHiddenLayers,
            int numAttentionHeads,
            int numChannels,
            double layerNormEps,
            String hiddenAct) {

        private static final int MAX_IMAGE_SIZE = 4096;
        private static final List<String> ACTIVATIONS =
                List.of("gelu", "quick_gelu", "gelu_new", "gelu_pytorch_tanh", "relu");

        static VisionConfig of(JsonSection json) {
            VisionConfig vision = new VisionConfig(
                    json.integer("embed_dim", 1, MAX_WIDTH, 768),
                    json.integer("image_size", 1, MAX_IMAGE_SIZE, 224),
                    json.integer("intermediate_size", 1, MAX_WIDTH, 5120),
                    json.integer("patch_size", 1, MAX_IMAGE_SIZE, 14),
                    json.integer("num_hidden_layers", 1, MAX_LAYERS, 32),
                    json.integer("num_attention_heads", 1, MAX_WIDTH, 16),
                    json.integer("num_channels", 3, 3, 3),
                    json.positive("layer_norm_eps", 1e-5),
                    json.choice("hidden_act", ACTIVATIONS, "gelu"));
            if (vision.embedDim % vision.numAttentionHeads != 0) {
                throw json.invalid(
                        "num_attention_heads",
                        "is " + vision.numAttentionHeads + ", expected a divisor of embed_dim " + vision.embedDim);
            }
            if (vision.imageSize % vision.patchSize != 0) {
                throw json.invalid(
                        "patch_size",
                        "is " + vision.patchSize + ", expected a divisor of image_size " + vision.imageSize);
            }
            return vision;
        }

        /** Tokens of one image: the patches and the class token. */
        public int positions() {
            int grid = imageSize / patchSize;
            return grid * grid + 1;
        }
    }

    /**
     * The perceiver resampler.
     *
     * @param nLatents states it makes of one image
     * @param headDim width of a head; heads times this need not be the embedding width
     * @param qkLayerNorms whether queries and keys are normalised
     */
    public record PerceiverConfig(int nLatents, int depth, int nHeads, int headDim, boolean qkLayerNorms) {

        static PerceiverConfig of(JsonSection json) {
            return new PerceiverConfig(
                    json.integer("resampler_n_latents", 1, MAX_WIDTH, 64),
                    json.integer("resampler_depth", 1, MAX_LAYERS, 6),
                    json.integer("resampler_n_heads", 1, 4096, 16),
                    json.integer("resampler_head_dim", 1, 4096, 96),
                    json.flag("qk_layer_norms_perceiver", false));
        }
    }
}
