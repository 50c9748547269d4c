package io.idefics.checkpoint;

import io.idefics.checkpoint.IdeficsConfig.PerceiverConfig;
import io.idefics.checkpoint.IdeficsConfig.VisionConfig;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The four published IDEFICS models, told apart by their sizes and by the tokens added to the vocabulary. */
public enum PublishedModel {
    IDEFICS_9B("IDEFICS 9B", 4096, 11008, 32, 32, 2),
    IDEFICS_9B_INSTRUCT("IDEFICS 9B Instruct", 4096, 11008, 32, 32, 3),
    IDEFICS_80B("IDEFICS 80B", 8192, 22016, 80, 64, 2),
    IDEFICS_80B_INSTRUCT("IDEFICS 80B Instruct", 8192, 22016, 80, 64, 3);

    private static final int VOCABULARY = 32000;
    private static final int CROSS_LAYER_INTERVAL = 4;

    private final String displayName;
    private final int hiddenSize;
    private final int intermediateSize;
    private final int layers;
    private final int heads;
    private final int addedTokens;

    PublishedModel(String displayName, int hiddenSize, int intermediateSize, int layers, int heads, int addedTokens) {
        this.displayName = displayName;
        this.hiddenSize = hiddenSize;
        this.intermediateSize = intermediateSize;
        this.layers = layers;
        this.heads = heads;
        this.addedTokens = addedTokens;
    }

    /** The name people know it by. */
    public String displayName() {
        return displayName;
    }

    /** The address of the page that describes it. */
    public String modelCard() {
        return "https://huggingface.co/HuggingFaceM4/"
                + name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** The published model with these sizes, null when there is none. */
    static @Nullable PublishedModel of(IdeficsConfig config) {
        for (PublishedModel model : values()) {
            if (model.hasSizesOf(config)) {
                return model;
            }
        }
        return null;
    }

    private boolean hasSizesOf(IdeficsConfig config) {
        return config.hiddenSize() == hiddenSize
                && config.intermediateSize() == intermediateSize
                && config.numHiddenLayers() == layers
                && config.numAttentionHeads() == heads
                && config.vocabSize() == VOCABULARY
                && config.additionalVocabSize() == addedTokens
                && config.crossLayerInterval() == CROSS_LAYER_INTERVAL
                && config.useResampler()
                && hasPublishedTower(config.visionConfig())
                && hasPublishedResampler(config.perceiverConfig());
    }

    private static boolean hasPublishedTower(VisionConfig vision) {
        return vision.embedDim() == 1280
                && vision.intermediateSize() == 5120
                && vision.numHiddenLayers() == 32
                && vision.numAttentionHeads() == 16
                && vision.imageSize() == 224
                && vision.patchSize() == 14;
    }

    private static boolean hasPublishedResampler(PerceiverConfig perceiver) {
        return perceiver.nLatents() == 64
                && perceiver.depth() == 6
                && perceiver.nHeads() == 16
                && perceiver.headDim() == 96;
    }
}
