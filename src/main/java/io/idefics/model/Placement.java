package io.idefics.model;

import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.IdeficsParameters;
import java.util.Arrays;

/** On which of several devices the parts of a model lie. */
public final class Placement {

    /*
     * Each device takes a run of layers, so a token moves from device to device only once. The runs are those whose
     * heaviest device is lightest (the linear partition problem), with the parts that have a fixed place counted in:
     * embeddings, vision tower and resampler on the first device, final norm and head on the last. A gated block
     * lies with the decoder layer that it runs before.
     */

    private static final String LAYER = "model.layers.";
    private static final String GATED = "model.gated_cross_attn_layers.";

    private Placement() {}

    /** Bytes of a tensor once it is loaded, by its name and shape. */
    @FunctionalInterface
    interface TensorBytes {
        long of(String name, long[] shape);
    }

    /**
     * Splits the layers of a model whose tensors all have the same type.
     *
     * @param devices how many devices there are, at most as many as decoder layers
     * @return for each decoder layer the index of its device, ascending, (layers)
     */
    public static int[] split(IdeficsConfig config, int devices) {
        return split(config, devices, (name, shape) -> Arrays.stream(shape).reduce(1, Math::multiplyExact));
    }

    static int[] split(IdeficsConfig config, int devices, TensorBytes bytes) {
        int layers = config.numHiddenLayers();
        if (devices < 1 || devices > layers) {
            throw new IllegalArgumentException(
                    "The model has " + layers + " layers; they cannot be split over " + devices + " devices");
        }
        long[] layerBytes = new long[layers];
        long[] fixed = new long[devices];
        IdeficsParameters.expected(config).forEach((name, shape) -> {
            int layer = layer(name, config);
            if (layer >= 0) {
                layerBytes[layer] += bytes.of(name, shape);
            } else {
                fixed[isLast(name) ? devices - 1 : 0] += bytes.of(name, shape);
            }
        });
        return partition(layerBytes, fixed);
    }

    /** The decoder layer that a tensor belongs to, or -1. */
    static int layer(String name, IdeficsConfig config) {
        if (name.startsWith(LAYER)) {
            return number(name, LAYER);
        }
        return name.startsWith(GATED) ? number(name, GATED) * config.crossLayerInterval() : -1;
    }

    /** Whether a tensor that belongs to no layer is used after them all. */
    static boolean isLast(String name) {
        return name.equals("model.norm.weight") || name.startsWith("lm_head.");
    }

    private static int number(String name, String prefix) {
        return Integer.parseInt(name.substring(prefix.length(), name.indexOf('.', prefix.length())));
    }

    /** The runs of layers with the smallest largest sum, one run of at least one layer for each device. */
    private static int[] partition(long[] layerBytes, long[] fixed) {
        int layers = layerBytes.length;
        int devices = fixed.length;
        long[] before = new long[layers + 1];
        for (int i = 0; i < layers; i++) {
            before[i + 1] = before[i] + layerBytes[i];
        }
        // heaviest[d][n]: the best largest sum of n layers on the devices up to d; start[d][n]: the first layer of d
        // then
        long[][] heaviest = new long[devices][layers + 1];
        int[][] start = new int[devices][layers + 1];
        for (int device = 0; device < devices; device++) {
            Arrays.fill(heaviest[device], Long.MAX_VALUE);
            for (int end = device + 1; end <= layers; end++) {
                for (int first = device; first < end && (device > 0 || first == 0); first++) {
                    long own = fixed[device] + before[end] - before[first];
                    long worst = device == 0 ? own : Math.max(own, heaviest[device - 1][first]);
                    if (worst < heaviest[device][end]) {
                        heaviest[device][end] = worst;
                        start[device][end] = first;
                    }
                }
            }
        }
        int[] deviceOfLayer = new int[layers];
        int end = layers;
        for (int device = devices - 1; device >= 0; device--) {
            Arrays.fill(deviceOfLayer, start[device][end], end, device);
            end = start[device][end];
        }
        return deviceOfLayer;
    }
}
