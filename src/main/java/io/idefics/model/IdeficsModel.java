package io.idefics.model;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.StoredTensor;
import io.idefics.checkpoint.TensorType;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * IDEFICS (Laurencon et al., 2023) on one device: images in, prompt in, logits out. The computation itself is the
 * {@link ModelProgram}; this class hands plain arrays over and keeps the native memory in order.
 *
 * <p>Not thread-safe: one thread loads, runs and closes it, and calls {@link #prepareThread()} first.
 */
public final class IdeficsModel implements AutoCloseable {

    private final IdeficsConfig config;
    private final Model program;
    private final PtSymbolBlock block;
    private final PtNDManager manager;
    /** The mapped weight files, which the program reads in place where no conversion was needed. */
    private final List<ByteBuffer> mappedWeights;

    private IdeficsModel(IdeficsConfig config, Model program, List<ByteBuffer> mappedWeights) {
        this.config = config;
        this.program = program;
        this.block = (PtSymbolBlock) program.getBlock();
        this.manager = (PtNDManager) program.getNDManager();
        this.mappedWeights = mappedWeights;
    }

    static {
        // DJL reads these when it loads libtorch: nothing is downloaded, and nobody is told that it runs.
        setDefault("ai.djl.offline", "true");
        setDefault("OPT_OUT_TRACKING", "true");
        setDefault("ai.djl.pytorch.graph_optimizer", "false");
        // libtorch counts the processors of the host, Java those of the container.
        setDefault(
                "ai.djl.pytorch.num_threads",
                String.valueOf(Runtime.getRuntime().availableProcessors()));
    }

    /** Loads libtorch, which takes a moment: from the jar it is unpacked to DJL's cache first, if it is not there yet. */
    public static void loadLibrary() {
        Engine.getEngine("PyTorch");
    }

    /**
     * Sets what libtorch keeps for each thread. The optimizing executor is off: it compiles anew for every shape, and
     * every step has its own.
     */
    public static void prepareThread() {
        loadLibrary();
        JniUtils.setGraphExecutorOptimize(false);
    }

    /**
     * Builds the model from a checkpoint. On the CPU, weights that are stored in the compute type are used where they
     * are mapped; all others are converted or copied to the device once.
     *
     * @param config the configuration of the checkpoint
     * @param weights all tensors of the checkpoint, already validated against the configuration
     * @param type the compute type
     * @param device {@code cpu} or {@code cuda:N}
     */
    public static IdeficsModel load(IdeficsConfig config, CheckpointWeights weights, ComputeType type, String device) {
        Device target = device(device);
        Model program = ModelProgram.load(attributes(config), target);
        List<ByteBuffer> mapped = new ArrayList<>();
        try (NDManager cpu = program.getNDManager().newSubManager(Device.cpu())) {
            Map<String, PtNDArray> plain = new HashMap<>();
            Map<String, PtNDArray> bfloat16 = new HashMap<>();
            for (String name : weights.names()) {
                StoredTensor tensor = weights.tensor(name);
                mapped.add(tensor.data());
                (tensor.type() == TensorType.BF16 ? bfloat16 : plain).put(name, wrap(cpu, tensor));
            }
            IdeficsModel model = new IdeficsModel(config, program, target.isGpu() ? List.of() : mapped);
            try (IValue plainWeights = IValue.stringMapFrom(plain);
                    IValue bfloat16Weights = IValue.stringMapFrom(bfloat16);
                    IValue torchType = IValue.from((long) type.torchType());
                    IValue torchDevice = IValue.from(device)) {
                model.run("load", plainWeights, bfloat16Weights, torchType, torchDevice)
                        .close();
            }
            return model;
        } catch (RuntimeException e) {
            program.close();
            throw e;
        }
    }

    /** Runs a token that sees an empty picture, so that the first request finds everything in memory. */
    public void warmUp() {
        int size = config.visionConfig().imageSize();
        List<PixelValues> picture = List.of(new PixelValues(new float[3 * size * size], size));
        try (ImageStates images = encodeImages(picture);
                KeyValueCache cache = newCache(1)) {
            forward(Step.of(new int[] {config.bosTokenId()}, 0, new int[] {0}), images, cache, 1);
        }
    }

    public IdeficsConfig config() {
        return config;
    }

    /** Runs the vision tower, the resampler and the keys and values of cross-attention for the images of a prompt. */
    public ImageStates encodeImages(List<PixelValues> images) {
        if (images.isEmpty()) {
            return new ImageStates(run("no_images"), 0);
        }
        try (NDManager scope = manager.newSubManager(Device.cpu());
                IValue pixelValues = pixelValues(scope, images)) {
            return new ImageStates(run("encode_images", pixelValues), images.size());
        }
    }

    /** An empty cache for that many sequences side by side. */
    public KeyValueCache newCache(int rows) {
        try (IValue count = IValue.from((long) rows)) {
            return new KeyValueCache(run("new_cache", count), rows);
        }
    }

    /**
     * Runs the next tokens and appends them to the cache.
     *
     * @param logitsToKeep for how many of the last tokens logits are computed, 1 to T
     * @return float32 logits, (B, logitsToKeep, vocabulary)
     */
    public float[][][] forward(Step step, ImageStates images, KeyValueCache cache, int logitsToKeep) {
        try (NDManager scope = manager.newSubManager(Device.cpu());
                StepValues values = new StepValues(scope, step);
                IValue keep = IValue.from((long) logitsToKeep);
                IValue result = run(
                        "forward",
                        values.inputIds,
                        values.positionIds,
                        values.attentionMask,
                        images.handle(),
                        values.spans,
                        cache.handle(),
                        keep)) {
            cache.advance(step.tokens());
            return split(floats(result, scope), step.rows(), logitsToKeep);
        }
    }

    /**
     * Like {@link #forward}, but returns the residual stream after every block, gated and plain in turn, and at last
     * after the final norm: each (B, T, E), flattened.
     */
    List<float[]> hiddenStates(Step step, ImageStates images, KeyValueCache cache) {
        try (NDManager scope = manager.newSubManager(Device.cpu());
                StepValues values = new StepValues(scope, step);
                IValue result = run(
                        "hidden_states",
                        values.inputIds,
                        values.positionIds,
                        values.attentionMask,
                        images.handle(),
                        values.spans,
                        cache.handle())) {
            cache.advance(step.tokens());
            List<float[]> states = new ArrayList<>();
            for (PtNDArray state : result.toTensorArray((PtNDManager) scope)) {
                state.attach(scope);
                states.add(state.toFloatArray());
            }
            return states;
        }
    }

    /** The residual stream of the vision tower, (I, P, vision width), flattened. */
    float[] visionStates(List<PixelValues> images) {
        try (NDManager scope = manager.newSubManager(Device.cpu());
                IValue pixelValues = pixelValues(scope, images);
                IValue result = run("vision", pixelValues)) {
            return floats(result, scope);
        }
    }

    /** What cross-attention reads of each image, (I, L, vision width), flattened. */
    float[] imageHiddenStates(List<PixelValues> images) {
        try (NDManager scope = manager.newSubManager(Device.cpu());
                IValue pixelValues = pixelValues(scope, images);
                IValue vision = run("vision", pixelValues);
                IValue result = run("resample", vision)) {
            return floats(result, scope);
        }
    }

    @Override
    public void close() {
        block.close();
        program.close();
        mappedWeights.clear();
    }

    private IValue run(String method, IValue... arguments) {
        return IValueUtils.runMethod(block, method, arguments);
    }

    private IValue pixelValues(NDManager scope, List<PixelValues> images) {
        int size = config.visionConfig().imageSize();
        FloatBuffer buffer = FloatBuffer.allocate(images.size() * 3 * size * size);
        for (PixelValues image : images) {
            if (image.size() != size) {
                throw new IllegalArgumentException(
                        "An image has " + image.size() + " pixels a side; the model takes " + size);
            }
            buffer.put(image.values());
        }
        NDArray array = scope.create(buffer.array(), new Shape(images.size(), 3, size, size));
        return IValue.from((PtNDArray) array);
    }

    private static float[] floats(IValue value, NDManager scope) {
        try (NDArray array = value.toTensor((PtNDManager) scope)) {
            return array.toFloatArray();
        }
    }

    private static float[][][] split(float[] flat, int rows, int tokens) {
        int width = flat.length / (rows * tokens);
        float[][][] result = new float[rows][tokens][width];
        for (int i = 0; i < rows * tokens; i++) {
            System.arraycopy(flat, i * width, result[i / tokens][i % tokens], 0, width);
        }
        return result;
    }

    private static PtNDArray wrap(NDManager cpu, StoredTensor tensor) {
        DataType type =
                switch (tensor.type()) {
                    case F32 -> DataType.FLOAT32;
                    // DJL has no bfloat16; the program reinterprets the bits.
                    case F16, BF16 -> DataType.FLOAT16;
                    default -> throw new IllegalArgumentException("Weights cannot be " + tensor.type());
                };
        return (PtNDArray) cpu.create(tensor.data(), new Shape(tensor.shape()), type);
    }

    private static void setDefault(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }

    private static Device device(String name) {
        if (name.equals("cpu")) {
            return Device.cpu();
        }
        if (name.matches("cuda:\\d{1,3}")) {
            return Device.gpu(Integer.parseInt(name.substring("cuda:".length())));
        }
        throw new IllegalArgumentException("The device is '" + name + "'; it can be cpu or cuda:N, as in cuda:0");
    }

    /** The attributes of the program's configuration object. */
    private static Map<String, Object> attributes(IdeficsConfig config) {
        var vision = config.visionConfig();
        var perceiver = config.perceiverConfig();
        return Map.ofEntries(
                Map.entry("hidden_size", config.hiddenSize()),
                Map.entry("num_hidden_layers", config.numHiddenLayers()),
                Map.entry("num_attention_heads", config.numAttentionHeads()),
                Map.entry("cross_layer_interval", config.crossLayerInterval()),
                Map.entry("rms_norm_eps", config.rmsNormEps()),
                Map.entry("use_resampler", config.useResampler()),
                Map.entry("qk_layer_norms", config.qkLayerNorms()),
                Map.entry("vision_patch_size", vision.patchSize()),
                Map.entry("vision_num_hidden_layers", vision.numHiddenLayers()),
                Map.entry("vision_num_attention_heads", vision.numAttentionHeads()),
                Map.entry("vision_layer_norm_eps", vision.layerNormEps()),
                Map.entry("vision_hidden_act", vision.hiddenAct()),
                Map.entry("resampler_depth", perceiver.depth()),
                Map.entry("resampler_n_heads", perceiver.nHeads()),
                Map.entry("qk_layer_norms_perceiver", perceiver.qkLayerNorms()));
    }

    /** The native form of a {@link Step}, for one call. */
    private static final class StepValues implements AutoCloseable {

        private final IValue inputIds;
        private final IValue positionIds;
        private final IValue attentionMask;
        private final IValue spans;

        StepValues(NDManager scope, Step step) {
            inputIds = IValue.from(longs(scope, step.inputIds()));
            positionIds = IValue.from(longs(scope, step.positionIds()));
            int[][] mask = step.attentionMask();
            attentionMask = mask == null ? IValue.listFrom(new PtNDArray[0]) : IValue.listFrom(longs(scope, mask));
            spans = IValue.listFrom(step.imageSpans());
        }

        private static PtNDArray longs(NDManager scope, int[][] rows) {
            long[] flat = Arrays.stream(rows)
                    .flatMapToInt(Arrays::stream)
                    .asLongStream()
                    .toArray();
            return (PtNDArray) scope.create(flat, new Shape(rows.length, rows[0].length));
        }

        @Override
        public void close() {
            inputIds.close();
            positionIds.close();
            attentionMask.close();
            spans.close();
        }
    }
}
