package io.idefics.checkpoint;

import io.idefics.checkpoint.IdeficsConfig.PerceiverConfig;
import io.idefics.checkpoint.IdeficsConfig.VisionConfig;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The tensors a checkpoint must hold for a configuration, by the names of the published model
 * ({@code IdeficsForVisionText2Text}, misspellings included). Letters in shapes: V base and A additional vocabulary,
 * H decoder width, F decoder feed-forward width, D decoder head, E vision width, I vision feed-forward width.
 */
public final class IdeficsParameters {

    static final String EMBEDDING = "model.embed_tokens.weight";
    static final String ADDITIONAL_EMBEDDING = "model.embed_tokens.additional_embedding.weight";
    static final String HEAD = "lm_head.weight";
    static final String ADDITIONAL_HEAD = "lm_head.additional_fc.weight";

    private final Map<String, long[]> shapes = new LinkedHashMap<>();

    private IdeficsParameters() {}

    /**
     * Tensor names with their shapes, in the order of the model. The vision tower's post_layernorm is among them,
     * though the model does not apply it. With tied embeddings the head is listed too; it need not be stored.
     */
    public static Map<String, long[]> expected(IdeficsConfig config) {
        IdeficsParameters parameters = new IdeficsParameters();
        parameters.embeddings(config);
        parameters.vision(config.visionConfig());
        if (config.useResampler()) {
            parameters.perceiver(config.perceiverConfig(), config.visionConfig().embedDim());
        }
        parameters.decoder(config);
        parameters.gatedBlocks(config);
        parameters.head(config);
        return parameters.shapes;
    }

    /** How many numbers the tensors of a configuration hold. */
    public static long count(IdeficsConfig config) {
        return expected(config).values().stream()
                .mapToLong(IdeficsParameters::elements)
                .sum();
    }

    /** Whether a stored tensor is a buffer of older library versions that carries nothing the model needs. */
    public static boolean isLegacyBuffer(String name) {
        return name.endsWith(".rotary_emb.inv_freq") || name.equals("model.vision_model.embeddings.position_ids");
    }

    /** Whether a stored shape serves: the expected one, or for a gate either of its two forms [1] and [1, 1, H]. */
    static boolean accepts(String name, long[] expected, long[] stored, IdeficsConfig config) {
        boolean gate = name.endsWith(".alpha_cross_attn") || name.endsWith(".alpha_dense");
        return Arrays.equals(expected, stored)
                || (gate
                        && (Arrays.equals(stored, new long[] {1})
                                || Arrays.equals(stored, new long[] {1, 1, config.hiddenSize()})));
    }

    static long elements(long[] shape) {
        return Arrays.stream(shape).reduce(1, Math::multiplyExact);
    }

    private void embeddings(IdeficsConfig config) {
        add(EMBEDDING, config.vocabSize(), config.hiddenSize()); // [V, H]
        if (config.additionalVocabSize() > 0) {
            add(ADDITIONAL_EMBEDDING, config.additionalVocabSize(), config.hiddenSize()); // [A, H]
        }
    }

    private void head(IdeficsConfig config) {
        add(HEAD, config.vocabSize(), config.hiddenSize()); // [V, H]
        if (config.additionalVocabSize() > 0) {
            add(ADDITIONAL_HEAD, config.additionalVocabSize(), config.hiddenSize()); // [A, H]
        }
    }

    private void vision(VisionConfig vision) {
        String tower = "model.vision_model.";
        int e = vision.embedDim();
        add(tower + "embeddings.class_embedding", e);
        add(
                tower + "embeddings.patch_embedding.weight",
                e,
                vision.numChannels(),
                vision.patchSize(),
                vision.patchSize());
        add(tower + "embeddings.position_embedding.weight", vision.positions(), e);
        norm(tower + "pre_layrnorm", e);
        for (int layer = 0; layer < vision.numHiddenLayers(); layer++) {
            String name = tower + "encoder.layers." + layer + ".";
            for (String projection : new String[] {"k_proj", "v_proj", "q_proj", "out_proj"}) {
                linear(name + "self_attn." + projection, e, e);
            }
            norm(name + "layer_norm1", e);
            linear(name + "mlp.fc1", vision.intermediateSize(), e);
            linear(name + "mlp.fc2", e, vision.intermediateSize());
            norm(name + "layer_norm2", e);
        }
        norm(tower + "post_layernorm", e);
    }

    private void perceiver(PerceiverConfig perceiver, int e) {
        String resampler = "model.perceiver_resampler.";
        int heads = perceiver.nHeads() * perceiver.headDim();
        add(resampler + "latents", perceiver.nLatents(), e);
        for (int block = 0; block < perceiver.depth(); block++) {
            String attention = resampler + "blocks." + block + ".0.";
            norm(attention + "context_layer_norm", e);
            norm(attention + "latents_layer_norm", e);
            if (perceiver.qkLayerNorms()) {
                norm(attention + "q_layer_norm", perceiver.headDim());
                norm(attention + "k_layer_norm", perceiver.headDim());
            }
            add(attention + "q_proj.weight", heads, e);
            add(attention + "k_proj.weight", heads, e);
            add(attention + "v_proj.weight", heads, e);
            add(attention + "output_proj.weight", e, heads);
            String feedForward = resampler + "blocks." + block + ".1.";
            norm(feedForward + "ln", e);
            add(feedForward + "fc.weight", 4L * e, e);
            add(feedForward + "c_proj.weight", e, 4L * e);
        }
        norm(resampler + "layer_norm", e);
    }

    private void decoder(IdeficsConfig config) {
        int h = config.hiddenSize();
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            String name = "model.layers." + layer + ".";
            for (String projection : new String[] {"q_proj", "k_proj", "v_proj", "o_proj"}) {
                add(name + "self_attn." + projection + ".weight", h, h);
            }
            gatedMlp(name, config);
        }
        add("model.norm.weight", h);
    }

    private void gatedBlocks(IdeficsConfig config) {
        int h = config.hiddenSize();
        int e = config.visionConfig().embedDim();
        long[] gate = config.alphaType().equals("vector") ? new long[] {1, 1, h} : new long[] {1};
        for (int block = 0; block < config.gatedBlocks(); block++) {
            String name = "model.gated_cross_attn_layers." + block + ".";
            add(name + "alpha_cross_attn", gate);
            add(name + "alpha_dense", gate);
            add(name + "cross_attn.q_proj.weight", h, h);
            add(name + "cross_attn.k_proj.weight", h, e);
            add(name + "cross_attn.v_proj.weight", h, e);
            add(name + "cross_attn.o_proj.weight", h, h);
            if (config.qkLayerNorms()) {
                add(name + "cross_attn.q_layer_norm.weight", config.headDim()); // [D]
                add(name + "cross_attn.k_layer_norm.weight", config.headDim());
            }
            gatedMlp(name, config);
        }
    }

    /** The SwiGLU feed-forward and the two norms that decoder layers and gated blocks share. */
    private void gatedMlp(String name, IdeficsConfig config) {
        int h = config.hiddenSize();
        add(name + "mlp.gate_proj.weight", config.intermediateSize(), h); // [F, H]
        add(name + "mlp.up_proj.weight", config.intermediateSize(), h);
        add(name + "mlp.down_proj.weight", h, config.intermediateSize()); // [H, F]
        add(name + "input_layernorm.weight", h);
        add(name + "post_attention_layernorm.weight", h);
    }

    private void linear(String name, long out, long in) {
        add(name + ".weight", out, in);
        add(name + ".bias", out);
    }

    private void norm(String name, long width) {
        add(name + ".weight", width);
        add(name + ".bias", width);
    }

    private void add(String name, long... shape) {
        shapes.put(name, shape);
    }
}
