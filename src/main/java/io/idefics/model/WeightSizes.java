package io.idefics.model;

import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.IdeficsParameters;
import java.util.Arrays;

/** How many bytes the tensors of a model take once they are loaded, by what the program does with each. */
final class WeightSizes {

    /** How many columns may share a scale and a zero point in four-bit matrices; the first that divides them is taken. */
    private static final int[] INT4_GROUPS = {128, 64, 32};

    /** Four-bit matrices have a multiple of so many rows. */
    private static final int INT4_ROWS = 64;

    private static final int FLOAT_BYTES = 4;

    private final int computeBytes;
    private final int storedBytes;
    private final Quantization quantization;

    /**
     * @param computeBytes bytes of a number of the compute type
     * @param storedBytes bytes of a number of the checkpoint
     */
    WeightSizes(int computeBytes, int storedBytes, Quantization quantization) {
        this.computeBytes = computeBytes;
        this.storedBytes = storedBytes;
        this.quantization = quantization;
    }

    /** The largest tensor in float32, the form in which it may pass through memory when it is converted. */
    static long largestInFloat(IdeficsConfig config) {
        return IdeficsParameters.expected(config).values().stream()
                .mapToLong(shape -> FLOAT_BYTES * elements(shape))
                .max()
                .orElse(0);
    }

    /** The bytes of one tensor of {@link IdeficsParameters#expected}. */
    long bytes(String name, long[] shape) {
        long elements = elements(shape);
        if (isTable(name)) {
            return elements * storedBytes; // only looked up, and left as it is stored
        }
        if (isMatrix(name, shape)) {
            return matrix(name, shape[0], shape[1]);
        }
        // Biases go with their matrix; norms, gates, the patch convolution and learned states are float32.
        return elements * (isBias(name) ? computeBytes : FLOAT_BYTES);
    }

    /** Whether a tensor is read from its mapped file in place on the CPU, under a layout that maps matrices or not. */
    static boolean isMapped(String name, boolean mapsMatrices) {
        return mapsMatrices || isTable(name);
    }

    private long matrix(String name, long rows, long columns) {
        if (quantization == Quantization.NONE || name.startsWith("lm_head.additional_fc.")) {
            return rows * columns * computeBytes;
        }
        int group = int4Group(columns);
        boolean int4 = quantization == Quantization.INT4 && isInDecoder(name) && rows % INT4_ROWS == 0 && group > 0;
        return int4
                ? rows * columns / 2 + rows * (columns / group) * 2 * computeBytes // scales and zero points
                : rows * columns + rows * FLOAT_BYTES; // a scale for each row
    }

    private static int int4Group(long columns) {
        return Arrays.stream(INT4_GROUPS)
                .filter(group -> columns % group == 0)
                .findFirst()
                .orElse(0);
    }

    private static boolean isTable(String name) {
        return name.startsWith("model.embed_tokens.");
    }

    private static boolean isInDecoder(String name) {
        return name.startsWith("model.layers.") || name.startsWith("model.gated_cross_attn_layers.");
    }

    private static boolean isMatrix(String name, long[] shape) {
        return shape.length == 2 && name.endsWith(".weight") && !name.endsWith("_embedding.weight");
    }

    private static boolean isBias(String name) {
        return name.endsWith("_proj.bias") || name.endsWith(".fc1.bias") || name.endsWith(".fc2.bias");
    }

    private static long elements(long[] shape) {
        return Arrays.stream(shape).reduce(1, Math::multiplyExact);
    }
}
