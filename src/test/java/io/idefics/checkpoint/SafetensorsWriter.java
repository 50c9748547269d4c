package io.idefics.checkpoint;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.checkpoint.WeightFile.TensorSpec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Map;

/** Writes safetensors files as a stream, so that shards may be larger than the memory. */
final class SafetensorsWriter {

    /** Writes the values of one tensor. */
    interface Values {
        void write(String name, TensorSpec spec, WritableByteChannel out) throws IOException;
    }

    private SafetensorsWriter() {}

    /** Writes a file with these tensors in this order. */
    static void write(Path path, Map<String, TensorSpec> tensors, Values values) throws IOException {
        try (FileChannel out = FileChannel.open(
                path, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            writeFully(out, header(tensors));
            for (Map.Entry<String, TensorSpec> tensor : tensors.entrySet()) {
                values.write(tensor.getKey(), tensor.getValue(), out);
            }
        }
    }

    /** Writes a file whose tensors are all zeros. */
    static void writeZeros(Path path, Map<String, TensorSpec> tensors) throws IOException {
        write(path, tensors, (name, spec, out) -> writeFully(out, ByteBuffer.allocate(Math.toIntExact(bytes(spec)))));
    }

    static long bytes(TensorSpec spec) {
        return Arrays.stream(spec.shape()).reduce(1, Math::multiplyExact)
                * spec.type().byteSize();
    }

    static void writeFully(WritableByteChannel out, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            out.write(buffer);
        }
    }

    /** Length and JSON, padded with spaces so that the data begin at a multiple of 8. */
    private static ByteBuffer header(Map<String, TensorSpec> tensors) throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode root = mapper.createObjectNode();
        root.putObject("__metadata__").put("format", "pt");
        long end = 0;
        for (Map.Entry<String, TensorSpec> tensor : tensors.entrySet()) {
            TensorSpec spec = tensor.getValue();
            ObjectNode entry = root.putObject(tensor.getKey());
            entry.put("dtype", spec.type().name());
            entry.set("shape", mapper.valueToTree(spec.shape()));
            entry.putArray("data_offsets").add(end).add(end + bytes(spec));
            end += bytes(spec);
        }
        byte[] json = mapper.writeValueAsBytes(root);
        int length = (json.length + 7) / 8 * 8;
        ByteBuffer header = ByteBuffer.allocate(8 + length).order(ByteOrder.LITTLE_ENDIAN);
        header.putLong(length).put(json).put(" ".repeat(length - json.length).getBytes(StandardCharsets.US_ASCII));
        return header.flip();
    }
}
