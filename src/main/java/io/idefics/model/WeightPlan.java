package io.idefics.model;

import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.IdeficsParameters;
import io.idefics.checkpoint.TensorType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What becomes of each tensor of a checkpoint when it is loaded.
 *
 * @param refused how many matrices have a shape that the kernels for the wanted number of bits do not take, so that they
 *     have more
 */
record WeightPlan(List<PlannedTensor> tensors, int refused) {

    /** The forms that the program knows; they are described in nn.py and quantization.py. */
    enum Form {
        MAPPED,
        COPIED,
        PLAIN,
        PACKED,
        INT8,
        INT4;

        String programName() {
            return name().toLowerCase(Locale.ROOT);
        }

        boolean isQuantized() {
            return this == INT8 || this == INT4;
        }
    }

    /**
     * A tensor and its form.
     *
     * @param stored the type in the file
     * @param group how many weights of a row share a scale; 0 unless the form is {@link Form#INT4}
     * @param bytes the size in memory, or of the mapping
     */
    record PlannedTensor(String name, TensorType stored, long[] shape, Form form, int group, long bytes) {

        long storedBytes() {
            return elements(shape) * stored.byteSize();
        }
    }

    /** The largest first: the more weights share a scale, the less the scales take. */
    private static final int[] GROUPS = {128, 64, 32};

    /** Rows that the order of packed int4 matrices keeps together. */
    private static final int INT4_ROWS = 64;

    private static final int INT8_COLUMNS = 16;

    static WeightPlan of(
            IdeficsConfig config, Function<String, TensorType> stored, LoadOptions options, MatrixKernels kernels) {
        List<PlannedTensor> tensors = new ArrayList<>();
        int[] refused = {0};
        IdeficsParameters.expected(config).forEach((name, shape) -> {
            PlannedTensor tensor = tensor(name, shape, stored.apply(name), options, kernels);
            Form wanted = wantedForm(name, shape, options);
            if (wanted.isQuantized() && tensor.form() != wanted) {
                refused[0]++;
            }
            tensors.add(tensor);
        });
        return new WeightPlan(List.copyOf(tensors), refused[0]);
    }

    /** The plan for one tensor of {@link IdeficsParameters#expected}. */
    static PlannedTensor tensor(
            String name, long[] shape, TensorType stored, LoadOptions options, MatrixKernels kernels) {
        Form form = possibleForm(wantedForm(name, shape, options), shape, options, kernels);
        if (form == Form.PLAIN) {
            form = unquantizedForm(name, shape, stored, options, kernels);
        }
        int group = form == Form.INT4 ? group(shape[1]) : 0;
        long elements = elements(shape);
        long bytes =
                switch (form) {
                    case MAPPED -> elements * stored.byteSize();
                    case COPIED, PLAIN, PACKED ->
                        elements * loadedType(name, shape, stored, options).byteSize();
                    case INT8 -> elements + shape[0] * Float.BYTES;
                    case INT4 ->
                        elements / 2 + elements / group * 2 * options.type().byteSize();
                };
        return new PlannedTensor(name, stored, shape, form, group, bytes);
    }

    /** The bytes of all tensors in the weight files. */
    long storedBytes() {
        return tensors.stream().mapToLong(PlannedTensor::storedBytes).sum();
    }

    /** For each decoder layer the index of its device: no device has more than it must, (layers). */
    int[] deviceOfLayer(IdeficsConfig config, int devices) {
        Map<String, Long> bytes = tensors.stream().collect(Collectors.toMap(PlannedTensor::name, PlannedTensor::bytes));
        return Placement.split(config, devices, (name, shape) -> Objects.requireNonNull(bytes.get(name)));
    }

    /** The tensors of the quantised forms, in the order of the model. */
    List<PlannedTensor> quantized() {
        return tensors.stream().filter(tensor -> tensor.form().isQuantized()).toList();
    }

    /**
     * The quantised form that the options ask for, or {@link Form#PLAIN}. Four bits are for the matrices of the decoder
     * that many tokens pass one at a time. The vision tower runs on whole pictures, where the products for 4 bits are slow.
     */
    private static Form wantedForm(String name, long[] shape, LoadOptions options) {
        if (options.quantization() == Quantization.NONE
                || !isMatrix(name, shape)
                || name.startsWith("lm_head.additional_fc.")) {
            return Form.PLAIN;
        }
        boolean decoder = name.startsWith("model.layers.") || name.startsWith("model.gated_cross_attn_layers.");
        return decoder && options.quantization() == Quantization.INT4 ? Form.INT4 : Form.INT8;
    }

    private static Form possibleForm(Form wanted, long[] shape, LoadOptions options, MatrixKernels kernels) {
        if (wanted == Form.INT4 && shape[0] % INT4_ROWS == 0 && group(shape[1]) > 0) {
            return Form.INT4;
        }
        boolean anyShape = kernels.int8() && options.onCpu();
        boolean int8 = wanted.isQuantized() && (anyShape || shape[1] % INT8_COLUMNS == 0);
        return int8 ? Form.INT8 : Form.PLAIN;
    }

    private static int group(long columns) {
        for (int group : GROUPS) {
            if (columns % group == 0) {
                return group;
            }
        }
        return 0;
    }

    private static Form unquantizedForm(
            String name, long[] shape, TensorType stored, LoadOptions options, MatrixKernels kernels) {
        boolean fits = options.onCpu() && stored == loadedType(name, shape, stored, options);
        if (isTable(name)) {
            return options.onCpu() ? Form.MAPPED : Form.COPIED;
        }
        if (!isMatrix(name, shape)) {
            return fits && options.layout() == WeightLayout.MAPPED ? Form.MAPPED : Form.COPIED;
        }
        boolean canPack = kernels.packed() && options.onCpu() && options.type() == ComputeType.BFLOAT16;
        if (canPack && options.layout() != WeightLayout.MAPPED) {
            return Form.PACKED;
        }
        return fits ? Form.MAPPED : Form.PLAIN;
    }

    /** The type in which the program takes a tensor that is not quantised. */
    private static TensorType loadedType(String name, long[] shape, TensorType stored, LoadOptions options) {
        if (isTable(name)) {
            return stored;
        }
        // Biases go with their matrix; norms, gates, the patch convolution and learned states are float32.
        return isMatrix(name, shape) || isBias(name) ? options.type().stored() : TensorType.F32;
    }

    /** Tables are looked up, row by row, so that most of a mapping is never read. */
    private static boolean isTable(String name) {
        return name.startsWith("model.embed_tokens.");
    }

    private static boolean isMatrix(String name, long[] shape) {
        return shape.length == 2
                && name.endsWith(".weight")
                && !isTable(name)
                && !name.endsWith(".position_embedding.weight");
    }

    private static boolean isBias(String name) {
        return name.endsWith("_proj.bias") || name.endsWith(".fc1.bias") || name.endsWith(".fc2.bias");
    }

    private static long elements(long[] shape) {
        long elements = 1;
        for (long size : shape) {
            elements *= size;
        }
        return elements;
    }
}
