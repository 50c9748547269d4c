package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import java.io.Closeable;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;

/**
 * An open file of named tensors. Opening reads names, types and shapes only; the values are mapped one tensor at a
 * time, and stay readable after {@link #close}.
 */
public sealed interface WeightFile extends Closeable permits SafetensorsFile, TorchWeightsFile {

    /** Type and shape of a tensor, without its values. */
    record TensorSpec(TensorType type, long[] shape) {

        /** The size of the values. */
        public long bytes() {
            return Math.multiplyExact(IdeficsParameters.elements(shape), type.byteSize());
        }
    }

    Path path();

    /** What the file holds, in file order. */
    Map<String, TensorSpec> specs();

    /**
     * One tensor with its values.
     *
     * @throws CheckpointException naming file and tensor when there is none of that name or it cannot be mapped
     */
    StoredTensor tensor(String name);

    /**
     * Copies the values of a tensor to memory, without mapping them.
     *
     * @param target a direct buffer with exactly as many bytes remaining as the tensor has; left at its end
     * @throws CheckpointException naming file and tensor when there is none of that name or it cannot be read
     */
    void read(String name, ByteBuffer target);

    @Override
    void close();

    /** Opens a file in the format that its name promises: .safetensors, or a torch .bin. */
    static WeightFile open(Path path) {
        return path.toString().endsWith(".safetensors") ? SafetensorsFile.open(path) : TorchWeightsFile.open(path);
    }

    /** The error for a tensor that the file does not hold. */
    static CheckpointException unknown(Path path, String name) {
        return new CheckpointException(path + ": no tensor " + quote(name));
    }
}
