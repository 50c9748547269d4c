package io.idefics.model;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.SafetensorsFile;
import io.idefics.checkpoint.TensorType;
import io.idefics.model.WeightPlan.Form;
import io.idefics.model.WeightPlan.PlannedTensor;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the tensors of a checkpoint into the program, one after the other. Those that are copied or converted are read
 * into one of two buffers as large as the largest of them: while the program takes one, the next is read into the other.
 * So the file is never resident beside the copy.
 */
final class WeightLoader {

    private static final Logger log = LoggerFactory.getLogger(WeightLoader.class);

    private static final long LOG_INTERVAL_NANOS = Duration.ofSeconds(2).toNanos();

    /**
     * A tensor on its way through a buffer.
     *
     * @param bytes what it takes in the buffer
     * @param read fills the buffer, on any thread
     * @param add hands the buffer to the program
     */
    private record Copied(PlannedTensor tensor, long bytes, Consumer<ByteBuffer> read, Consumer<NDArray> add) {}

    private final PtSymbolBlock program;
    private final NDManager cpu;
    private final CheckpointWeights weights;
    private final LoadOptions options;
    private final MatrixKernels kernels;
    private final IValue handle;
    private final List<ByteBuffer> mapped = new ArrayList<>();
    private final Progress progress;

    private WeightLoader(
            PtSymbolBlock program,
            NDManager cpu,
            CheckpointWeights weights,
            LoadOptions options,
            MatrixKernels kernels,
            int[] deviceOfLayer,
            long totalBytes) {
        this.program = program;
        this.cpu = cpu;
        this.weights = weights;
        this.options = options;
        this.kernels = kernels;
        this.handle = newWeights(deviceOfLayer);
        this.progress = new Progress(totalBytes, options.listener());
    }

    /**
     * Loads the weights into the program.
     *
     * @return the mappings that the program reads in place; they must stay reachable while it is used
     * @throws CancellationException when the thread is interrupted
     */
    static List<ByteBuffer> load(
            PtSymbolBlock program,
            NDManager cpu,
            IdeficsConfig config,
            CheckpointWeights weights,
            LoadOptions options,
            MatrixKernels kernels) {
        WeightPlan plan = WeightPlan.of(config, name -> weights.spec(name).type(), options, kernels);
        if (plan.refused() > 0) {
            log.info(
                    "{} matrices have shapes that {} does not take; they are kept in more bits",
                    plan.refused(),
                    options.quantization());
        }
        int[] deviceOfLayer = plan.deviceOfLayer(config, options.devices().size());
        WeightLoader loader =
                new WeightLoader(program, cpu, weights, options, kernels, deviceOfLayer, plan.storedBytes());
        try (IValue handle = loader.handle) {
            loader.load(plan);
            IValueUtils.runMethod(program, "load", handle).close();
            return loader.mapped;
        } catch (RuntimeException | Error e) {
            if (Thread.currentThread().isInterrupted()) {
                throw cancelled(e); // an interrupt closes the files, which shows as one error or another
            }
            throw e;
        }
    }

    private void load(WeightPlan plan) {
        Path directory = options.quantizedCache();
        String order = directory == null ? "" : int4Order();
        if (directory == null || plan.quantized().isEmpty() || order.isEmpty()) {
            load(plan, null, null);
            return;
        }
        QuantizedFile file = QuantizedFile.of(directory, weights, plan, options, order);
        try (SafetensorsFile kept = file.open();
                QuantizedFile.Writer writer = kept == null ? file.write() : null) {
            load(plan, kept, writer);
            if (writer != null) {
                writer.finish();
            }
        }
    }

    private void load(WeightPlan plan, @Nullable SafetensorsFile kept, QuantizedFile.@Nullable Writer writer) {
        List<Copied> copied = new ArrayList<>();
        for (PlannedTensor tensor : plan.tensors()) {
            if (tensor.form() == Form.MAPPED) {
                try (NDArray data = map(weights.tensor(tensor.name()).data())) {
                    add(tensor, data);
                }
            } else if (!tensor.form().isQuantized()) {
                copied.add(fromCheckpoint(tensor, data -> add(tensor, data)));
            } else if (kept == null) {
                copied.add(fromCheckpoint(tensor, data -> quantize(tensor, data, writer)));
            } else if (tensor.form() == Form.INT8 && kernels.int8()) {
                copied.add(fromQuantized(tensor, kept));
            } else {
                try (NDArray values =
                        map(kept.tensor(QuantizedFile.valuesName(tensor)).data())) {
                    addQuantized(tensor, values, kept);
                }
            }
        }
        copy(copied);
    }

    private Copied fromCheckpoint(PlannedTensor tensor, Consumer<NDArray> add) {
        return new Copied(tensor, tensor.storedBytes(), target -> weights.read(tensor.name(), target), add);
    }

    private Copied fromQuantized(PlannedTensor tensor, SafetensorsFile kept) {
        String name = QuantizedFile.valuesName(tensor);
        long bytes = Objects.requireNonNull(kept.specs().get(name)).bytes();
        return new Copied(tensor, bytes, target -> kept.read(name, target), data -> addQuantized(tensor, data, kept));
    }

    private void copy(List<Copied> tensors) {
        if (tensors.isEmpty()) {
            return;
        }
        try (Buffers buffers = new Buffers(cpu, tensors)) {
            for (int i = 0; i < tensors.size(); i++) {
                tensors.get(i).add().accept(buffers.take(i));
            }
        }
    }

    private IValue newWeights(int[] deviceOfLayer) {
        String layers =
                Arrays.stream(deviceOfLayer).mapToObj(options.devices()::get).collect(Collectors.joining(","));
        try (IValue type = IValue.from((long) options.type().torchType());
                IValue devices = IValue.from(layers)) {
            return IValueUtils.runMethod(program, "new_weights", type, devices);
        }
    }

    private String int4Order() {
        try (IValue device = IValue.from(options.device());
                IValue order = IValueUtils.runMethod(program, "int4_order", device)) {
            return order.toStringValue();
        }
    }

    private NDArray map(ByteBuffer data) {
        mapped.add(data);
        return cpu.create(data, new Shape(data.remaining()), DataType.UINT8);
    }

    private void add(PlannedTensor tensor, NDArray bytes) {
        checkInterrupt();
        try (IValue name = IValue.from(tensor.name());
                IValue data = IValue.from((PtNDArray) bytes);
                IValue stored = IValue.from(torchType(tensor.stored()));
                IValue shape = IValue.listFrom(tensor.shape());
                IValue form = IValue.from(tensor.form().programName())) {
            IValueUtils.runMethod(program, "add_weight", handle, name, data, stored, shape, form)
                    .close();
        }
        progress.add(tensor.storedBytes());
    }

    private void quantize(PlannedTensor tensor, NDArray bytes, QuantizedFile.@Nullable Writer writer) {
        checkInterrupt();
        try (IValue data = IValue.from((PtNDArray) bytes);
                IValue stored = IValue.from(torchType(tensor.stored()));
                IValue shape = IValue.listFrom(tensor.shape());
                IValue form = IValue.from(tensor.form().programName());
                IValue group = IValue.from((long) tensor.group());
                IValue parts = IValueUtils.runMethod(program, "quantize", handle, data, stored, shape, form, group)) {
            NDArray[] valuesAndScales = parts.toTensorArray((PtNDManager) cpu);
            try (NDArray values = valuesAndScales[0];
                    NDArray scales = valuesAndScales[1]) {
                if (writer != null) {
                    writer.append(values.toByteBuffer(true));
                    writer.append(scales.toByteBuffer(true));
                }
                addQuantized(tensor, values, scales);
            }
        }
    }

    private void addQuantized(PlannedTensor tensor, NDArray values, SafetensorsFile kept) {
        try (NDArray scales = map(kept.tensor(QuantizedFile.scalesName(tensor)).data())) {
            addQuantized(tensor, values, scales);
        }
    }

    private void addQuantized(PlannedTensor tensor, NDArray valueBytes, NDArray scaleBytes) {
        checkInterrupt();
        try (IValue name = IValue.from(tensor.name());
                IValue form = IValue.from(tensor.form().programName());
                IValue shape = IValue.listFrom(tensor.shape());
                IValue group = IValue.from((long) tensor.group());
                IValue values = IValue.from((PtNDArray) valueBytes);
                IValue scales = IValue.from((PtNDArray) scaleBytes)) {
            IValueUtils.runMethod(program, "add_quantized", handle, name, form, shape, group, values, scales)
                    .close();
        }
        progress.add(tensor.storedBytes());
    }

    private static void checkInterrupt() {
        if (Thread.currentThread().isInterrupted()) {
            throw cancelled(null);
        }
    }

    private static long torchType(TensorType type) {
        return switch (type) {
            case U8 -> 0;
            case I8 -> 1;
            case F16 -> 5;
            case F32 -> 6;
            case BF16 -> 15;
            default -> throw new IllegalArgumentException("Weights cannot be " + type);
        };
    }

    private static CancellationException cancelled(@Nullable Throwable cause) {
        CancellationException cancelled = new CancellationException("The loading of the weights was interrupted");
        if (cause != null) {
            cancelled.initCause(cause);
        }
        return cancelled;
    }

    /** Two buffers of libtorch's memory; the tensor after the one that is taken is read meanwhile. */
    private static final class Buffers implements AutoCloseable {

        private static final int ALIGNMENT = 8;

        private final List<Copied> tensors;
        private final NDArray[] memory = new NDArray[2];
        private final ByteBuffer[] views = new ByteBuffer[2];
        private CompletableFuture<Void> reading = CompletableFuture.completedFuture(null);

        Buffers(NDManager cpu, List<Copied> tensors) {
            this.tensors = tensors;
            long largest = tensors.stream().mapToLong(Copied::bytes).max().orElse(0);
            for (int i = 0; i < 2; i++) {
                Shape shape = new Shape((largest + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
                memory[i] = cpu.create(shape, DataType.UINT8, Device.cpu());
                views[i] = memory[i].toByteBuffer(true);
            }
            read(0);
        }

        /** The bytes of a tensor at the start of a buffer, until the next is taken. Tensors are taken in order. */
        NDArray take(int index) {
            try {
                reading.join();
            } catch (CompletionException e) {
                throw e.getCause() instanceof RuntimeException cause ? cause : e;
            }
            if (index + 1 < tensors.size()) {
                read(index + 1);
            }
            return memory[index % 2];
        }

        private void read(int index) {
            Copied tensor = tensors.get(index);
            ByteBuffer target = views[index % 2].slice(0, Math.toIntExact(tensor.bytes()));
            reading = CompletableFuture.runAsync(() -> tensor.read().accept(target));
        }

        @Override
        public void close() {
            reading.exceptionally(e -> null).join(); // nobody may write into freed memory
            for (NDArray array : memory) {
                array.close();
            }
        }
    }

    /** Tells the listener, and the log now and then. */
    private static final class Progress {

        private final long total;
        private final LoadListener listener;
        private long done;
        private long logged;
        private long loggedAt = System.nanoTime();

        Progress(long total, LoadListener listener) {
            this.total = total;
            this.listener = listener;
        }

        void add(long bytes) {
            done += bytes;
            listener.loaded(done, total);
            long now = System.nanoTime();
            if (done - logged >= total / 10 && now - loggedAt >= LOG_INTERVAL_NANOS) {
                logged = done;
                loggedAt = now;
                log.info("Weights: {} of {} MB", done >> 20, total >> 20);
            }
        }
    }
}
