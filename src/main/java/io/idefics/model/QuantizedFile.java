package io.idefics.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.checkpoint.CheckpointException;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.SafetensorsFile;
import io.idefics.checkpoint.TensorType;
import io.idefics.checkpoint.WeightFile.TensorSpec;
import io.idefics.model.WeightPlan.Form;
import io.idefics.model.WeightPlan.PlannedTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The quantised matrices of a checkpoint in a safetensors file, so that they need not be made at every start. Its header
 * names what they were made from; a file that was made from anything else, or that is not whole, is not used.
 *
 * <p>A matrix {@code x.weight} lies there as {@code x.weight:values} and {@code x.weight:scales}.
 */
final class QuantizedFile {

    private static final Logger log = LoggerFactory.getLogger(QuantizedFile.class);

    /** To be raised when the same weights become other values, or lie in another way. */
    private static final String FORMAT = "1";

    private static final int ALIGNMENT = 64;

    private final Path path;
    private final Map<String, String> metadata;
    private final Map<String, TensorSpec> specs;

    private QuantizedFile(Path path, Map<String, String> metadata, Map<String, TensorSpec> specs) {
        this.path = path;
        this.metadata = metadata;
        this.specs = specs;
    }

    /**
     * The file for these weights, which need not exist.
     *
     * @param int4Order the name of the order of int4 values
     */
    static QuantizedFile of(
            Path directory, CheckpointWeights weights, WeightPlan plan, LoadOptions options, String int4Order) {
        String type = options.type().name().toLowerCase(Locale.ROOT);
        String quantization = options.quantization().name().toLowerCase(Locale.ROOT);
        Map<String, String> metadata = new TreeMap<>();
        metadata.put("format", "idefics-quantized");
        metadata.put("version", FORMAT);
        metadata.put("quantization", quantization);
        metadata.put("type", type);
        metadata.put("int4_order", int4Order);
        metadata.put("source", source(weights.paths()));
        Map<String, TensorSpec> specs = new LinkedHashMap<>();
        for (PlannedTensor tensor : plan.quantized()) {
            specs.put(valuesName(tensor), valuesSpec(tensor));
            specs.put(scalesName(tensor), scalesSpec(tensor, options.type()));
        }
        return new QuantizedFile(
                directory.resolve("idefics-" + quantization + "-" + type + ".safetensors"), metadata, specs);
    }

    static String valuesName(PlannedTensor tensor) {
        return tensor.name() + ":values";
    }

    static String scalesName(PlannedTensor tensor) {
        return tensor.name() + ":scales";
    }

    /** Opens the file; null, with the reason in the log, when it cannot be used. */
    @Nullable
    SafetensorsFile open() {
        if (!Files.exists(path)) {
            return null;
        }
        try {
            SafetensorsFile file = SafetensorsFile.open(path);
            if (matches(file)) {
                return file;
            }
            file.close();
            log.info("{} was made from other weights or in another way; it is made anew", path);
        } catch (CheckpointException e) {
            log.info("The quantized weights cannot be used and are made anew: {}", e.getMessage());
        }
        return null;
    }

    /** Begins to write the file; null, with the reason in the log, when that is not possible. */
    @Nullable
    Writer write() {
        try {
            return new Writer();
        } catch (IOException e) {
            log.info("The quantized weights are not kept: {} cannot be written: {}", path, reason(e));
            return null;
        }
    }

    private boolean matches(SafetensorsFile file) {
        Map<String, TensorSpec> found = file.specs();
        return file.metadata().equals(metadata)
                && found.keySet().equals(specs.keySet())
                && specs.entrySet().stream().allMatch(spec -> {
                    TensorSpec other = found.get(spec.getKey());
                    return other != null
                            && other.type() == spec.getValue().type()
                            && Arrays.equals(other.shape(), spec.getValue().shape());
                });
    }

    private static TensorSpec valuesSpec(PlannedTensor tensor) {
        long[] shape = tensor.shape();
        return tensor.form() == Form.INT8
                ? new TensorSpec(TensorType.I8, shape)
                : new TensorSpec(TensorType.U8, new long[] {shape[0], shape[1] / 2});
    }

    private static TensorSpec scalesSpec(PlannedTensor tensor, ComputeType type) {
        long[] shape = tensor.shape();
        return tensor.form() == Form.INT8
                ? new TensorSpec(TensorType.F32, new long[] {shape[0]})
                : new TensorSpec(type.stored(), new long[] {shape[1] / tensor.group(), shape[0], 2});
    }

    /** Names, sizes and times of the weight files: another set of them is another model. */
    private static String source(List<Path> paths) {
        StringBuilder source = new StringBuilder();
        for (Path file : paths) {
            try {
                source.append(file.getFileName())
                        .append(' ')
                        .append(Files.size(file))
                        .append(' ')
                        .append(Files.getLastModifiedTime(file).toMillis())
                        .append('\n');
            } catch (IOException e) {
                throw new CheckpointException(file + ": cannot be read: " + reason(e), e);
            }
        }
        return source.toString();
    }

    private static String reason(IOException e) {
        return e.getClass().getSimpleName() + " " + e.getMessage();
    }

    /** Writes the tensors in order to a file beside the real one, which takes its place when all are there. */
    final class Writer implements AutoCloseable {

        private final Path temporary;
        private final FileChannel out;
        private boolean failed;

        private Writer() throws IOException {
            Path directory = path.toAbsolutePath().getParent();
            if (directory == null) {
                throw new NoSuchFileException(path.toString());
            }
            Files.createDirectories(directory);
            temporary = directory.resolve(path.getFileName() + "." + UUID.randomUUID() + ".tmp");
            out = FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            try {
                writeFully(header());
            } catch (IOException e) {
                close();
                throw e;
            }
        }

        /** Appends the values of the next tensor. A failure ends the writing, but not the loading. */
        void append(ByteBuffer data) {
            if (failed) {
                return;
            }
            try {
                writeFully(data.duplicate());
            } catch (IOException e) {
                failed = true;
                log.info("The quantized weights are not kept: {} cannot be written: {}", temporary, reason(e));
            }
        }

        /** Puts the file in its place. */
        void finish() {
            if (failed) {
                return;
            }
            try {
                out.force(false); // else a crash of the machine could leave a file of the right size without its data
                out.close();
                Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                log.info("Kept the quantized weights in {}", path);
            } catch (IOException e) {
                log.info("The quantized weights are not kept: {} cannot be written: {}", path, reason(e));
            }
        }

        @Override
        public void close() {
            try {
                out.close();
                Files.deleteIfExists(temporary);
            } catch (IOException e) {
                log.info("{} cannot be deleted: {}", temporary, reason(e));
            }
        }

        private void writeFully(ByteBuffer data) throws IOException {
            while (data.hasRemaining()) {
                out.write(data);
            }
        }

        private ByteBuffer header() {
            ObjectMapper json = new ObjectMapper();
            ObjectNode root = json.createObjectNode();
            ObjectNode texts = root.putObject("__metadata__");
            metadata.forEach(texts::put);
            long end = 0;
            for (Map.Entry<String, TensorSpec> spec : specs.entrySet()) {
                ObjectNode entry = root.putObject(spec.getKey());
                entry.put("dtype", spec.getValue().type().name());
                Arrays.stream(spec.getValue().shape()).forEach(entry.withArray("shape")::add);
                entry.withArray("data_offsets")
                        .add(end)
                        .add(end + spec.getValue().bytes());
                end += spec.getValue().bytes();
            }
            byte[] text;
            try {
                text = json.writeValueAsBytes(root);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            int length = (Long.BYTES + text.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            ByteBuffer header = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
            header.putLong(length - Long.BYTES).put(text);
            header.put(" ".repeat(header.remaining()).getBytes(StandardCharsets.US_ASCII));
            return header.flip();
        }
    }
}
