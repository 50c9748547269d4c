package io.idefics.model;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import com.sun.jna.Function;
import com.sun.jna.Platform;
import io.idefics.checkpoint.CheckpointException;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.IdeficsConfig;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * IDEFICS (Laurencon et al., 2023) on one device: images in, prompt in, logits out. The computation itself is the
 * {@link ModelProgram}; this class hands plain arrays over and keeps the native memory in order.
 *
 * <p>Not thread-safe: one thread loads, runs and closes it, and calls {@link #prepareThread()} first.
 */
public final class IdeficsModel implements VisionTextModel {

    private static final Logger log = LoggerFactory.getLogger(IdeficsModel.class);

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
        setNativeEnvironment();
        endWithoutDestructors();
    }

    /**
     * Sets variables of the environment that native libraries read when they are loaded, unless the user has set them.
     *
     * <p>Huge pages: a token reads all weights once, which takes a tenth longer with small pages. Spinning: a thread of
     * OpenMP that waits for another keeps its processor busy for milliseconds, in which the other cannot run if anything
     * else does; with this limit a step beside a busy processor takes twice as long and not five times.
     */
    private static void setNativeEnvironment() {
        if (Platform.isLinux()) {
            try {
                Function setenv = Function.getFunction("c", "setenv");
                setenv.invokeInt(new Object[] {"THP_MEM_ALLOC_ENABLE", "1", 0});
                if (System.getenv("OMP_WAIT_POLICY") == null) {
                    setenv.invokeInt(new Object[] {"GOMP_SPINCOUNT", "10000", 0});
                }
            } catch (UnsatisfiedLinkError e) {
                log.debug("The native environment cannot be set", e);
            }
        }
    }

    /**
     * Lets the process end without the destructors of native libraries. A step cannot be interrupted, so one may still run
     * at the end, and would crash when oneDNN's destructors free the code that it is in.
     */
    private static void endWithoutDestructors() {
        if (Platform.isLinux()) {
            try {
                Function onExit = Function.getFunction("c", "on_exit"); // what is registered last is called first
                Function exit = Function.getFunction("c", "_exit"); // takes the status that on_exit gives
                Runtime.getRuntime()
                        .addShutdownHook(new Thread(() -> onExit.invokeInt(new Object[] {exit, null}), "native-exit"));
            } catch (UnsatisfiedLinkError | IllegalStateException e) {
                log.debug("The native exit cannot be set", e);
            }
        }
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

    /** Builds the model with unquantised weights in the fastest layout, see {@link LoadOptions#of}. */
    public static IdeficsModel load(IdeficsConfig config, CheckpointWeights weights, ComputeType type, String device) {
        return load(config, weights, LoadOptions.of(type, device));
    }

    /**
     * Builds the model from a checkpoint.
     *
     * @param config the configuration of the checkpoint
     * @param weights all tensors of the checkpoint, already validated against the configuration
     * @throws CheckpointException when a weight file cannot be read
     * @throws CancellationException when the thread is interrupted
     */
    public static IdeficsModel load(IdeficsConfig config, CheckpointWeights weights, LoadOptions options) {
        return load(config, weights, options, ModelProgram.KERNELS);
    }

    /** Builds the model on the first of these files of kernels that libtorch can compile. */
    static IdeficsModel load(
            IdeficsConfig config, CheckpointWeights weights, LoadOptions options, List<String> kernelFiles) {
        options.devices().forEach(IdeficsModel::device);
        Device target = device(options.device());
        Model program = ModelProgram.load(attributes(config), target, kernelFiles);
        try (NDManager cpu = program.getNDManager().newSubManager(Device.cpu())) {
            PtSymbolBlock block = (PtSymbolBlock) program.getBlock();
            return new IdeficsModel(
                    config, program, WeightLoader.load(block, cpu, config, weights, options, kernels(block)));
        } catch (RuntimeException | Error e) {
            program.close();
            throw e;
        }
    }

    private static MatrixKernels kernels(PtSymbolBlock block) {
        return new MatrixKernels(flag(block, "has_packed"), flag(block, "has_int8"));
    }

    private static boolean flag(PtSymbolBlock block, String method) {
        try (IValue flag = IValueUtils.runMethod(block, method)) {
            return flag.toBoolean();
        }
    }

    /** Runs a token that sees an empty picture, so that the first request finds everything in memory. */
    public void warmUp() {
        int size = config.visionConfig().imageSize();
        PixelValues picture = new PixelValues(new float[3 * size * size], size);
        run(new ModelInput(new int[] {config.bosTokenId()}, new int[] {0}, List.of(picture)), 1);
    }

    /**
     * Runs a prompt alone, in caches made for it, which replace those that were allocated.
     *
     * @param logitsToKeep for how many of the last tokens logits are wanted
     * @return float32 logits, (logitsToKeep, vocabulary)
     */
    public float[][] run(ModelInput input, int logitsToKeep) {
        int tokens = input.inputIds().length;
        int[] slots = IntStream.range(0, input.images().size()).toArray();
        allocate(tokens, Math.max(1, slots.length), Math.max(1, slots.length));
        if (slots.length > 0) {
            beginEncoding(input.images());
            advanceEncoding(encodingLayers());
            endEncoding(slots);
            projectImages(slots, slots);
        }
        return forward(new Step(
                List.of(new Step.Row(input.inputIds(), 0, new int[] {0, tokens}, input.imageIndex(), logitsToKeep))));
    }

    public IdeficsConfig config() {
        return config;
    }

    @Override
    public int vocabularySize() {
        return config.totalVocabSize();
    }

    @Override
    public int encodingLayers() {
        int blocks = config.useResampler() ? config.perceiverConfig().depth() : 0;
        return config.visionConfig().numHiddenLayers() + blocks;
    }

    @Override
    public void allocate(int tokenSlots, int imageSlots, int latentSlots) {
        try (IValue tokens = IValue.from((long) tokenSlots);
                IValue images = IValue.from((long) imageSlots);
                IValue latents = IValue.from((long) latentSlots);
                IValue perImage = IValue.from((long) config.imageTokens())) {
            run("allocate", tokens, images, latents, perImage).close();
        }
    }

    @Override
    public void beginEncoding(List<PixelValues> images) {
        try (NDManager scope = manager.newSubManager(Device.cpu());
                IValue pixelValues = pixelValues(scope, images)) {
            run("begin_encoding", pixelValues).close();
        }
    }

    @Override
    public boolean advanceEncoding(int layers) {
        try (IValue count = IValue.from((long) layers);
                IValue through = run("advance_encoding", count)) {
            return through.toBoolean();
        }
    }

    @Override
    public void endEncoding(int[] latentSlots) {
        try (IValue slots = longs(latentSlots)) {
            run("end_encoding", slots).close();
        }
    }

    @Override
    public void abandonEncoding() {
        run("abandon_encoding").close();
    }

    @Override
    public void projectImages(int[] latentSlots, int[] imageSlots) {
        try (IValue latents = longs(latentSlots);
                IValue images = longs(imageSlots)) {
            run("project_images", latents, images).close();
        }
    }

    @Override
    public float[][] forward(Step step) {
        try (NDManager scope = manager.newSubManager(Device.cpu());
                StepValues values = new StepValues(scope, step);
                IValue result = run(
                        "forward",
                        values.inputIds,
                        values.positionIds,
                        values.tokenSlots,
                        values.rows,
                        values.runs,
                        values.spans,
                        values.logitTokens)) {
            return split(floats(result, scope), vocabularySize());
        }
    }

    /**
     * Like {@link #forward}, but returns the residual stream after every block, gated and plain in turn, and at last
     * after the final norm: each (T, E), flattened.
     */
    List<float[]> hiddenStates(Step step) {
        try (NDManager scope = manager.newSubManager(Device.cpu());
                StepValues values = new StepValues(scope, step);
                IValue result = run(
                        "hidden_states",
                        values.inputIds,
                        values.positionIds,
                        values.tokenSlots,
                        values.rows,
                        values.runs,
                        values.spans)) {
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

    private static float[][] split(float[] flat, int width) {
        float[][] rows = new float[flat.length / width][];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = Arrays.copyOfRange(flat, i * width, (i + 1) * width);
        }
        return rows;
    }

    private static IValue longs(int[] values) {
        return IValue.listFrom(Arrays.stream(values).asLongStream().toArray());
    }

    private static void setDefault(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }

    private static Device device(String name) {
        if (name.matches("cpu(:0)?")) {
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
        private final IValue tokenSlots;
        private final IValue rows;
        private final IValue runs;
        private final IValue spans;
        private final IValue logitTokens;

        StepValues(NDManager scope, Step step) {
            StepArrays arrays = new StepArrays(step);
            inputIds = vector(scope, arrays.inputIds);
            positionIds = vector(scope, arrays.positionIds);
            tokenSlots = vector(scope, arrays.tokenSlots);
            rows = IValue.listFrom(arrays.rows());
            runs = IValue.listFrom(arrays.runs());
            spans = IValue.listFrom(arrays.spans());
            logitTokens = vector(scope, arrays.logitTokens);
        }

        private static IValue vector(NDManager scope, long[] values) {
            return IValue.from((PtNDArray) scope.create(values));
        }

        @Override
        public void close() {
            inputIds.close();
            positionIds.close();
            tokenSlots.close();
            rows.close();
            runs.close();
            spans.close();
            logitTokens.close();
        }
    }
}
