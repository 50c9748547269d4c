package io.idefics.processing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.tokenizer.ReferenceData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.stream.IntStream;

/** The I64 tensors of a safetensors file of reference masks. */
final class MaskFile {

    private final ByteBuffer file;
    private final JsonNode header;
    private final int dataStart;

    MaskFile(String resource) {
        try {
            this.file = ByteBuffer.wrap(Files.readAllBytes(ReferenceData.path(resource)))
                    .order(ByteOrder.LITTLE_ENDIAN);
            int headerLength = Math.toIntExact(file.getLong(0));
            this.header = new ObjectMapper()
                    .readTree(new String(file.array(), Long.BYTES, headerLength, StandardCharsets.UTF_8));
            this.dataStart = Long.BYTES + headerLength;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A tensor of shape (B, T). */
    int[][] matrix(String name) {
        int[] shape = shape(name);
        return IntStream.range(0, shape[0])
                .mapToObj(row -> values(name, row * shape[1], shape[1]))
                .toArray(int[][]::new);
    }

    /** A tensor of shape (B, T, N). */
    int[][][] cube(String name) {
        int[] shape = shape(name);
        return IntStream.range(0, shape[0])
                .mapToObj(row -> IntStream.range(0, shape[1])
                        .mapToObj(token -> values(name, (row * shape[1] + token) * shape[2], shape[2]))
                        .toArray(int[][]::new))
                .toArray(int[][][]::new);
    }

    private int[] shape(String name) {
        if (!"I64".equals(header.path(name).path("dtype").asText())) {
            throw new IllegalArgumentException("No I64 tensor " + name);
        }
        return ReferenceData.ints(header.get(name).get("shape"));
    }

    private int[] values(String name, int offset, int count) {
        int start = dataStart + header.get(name).get("data_offsets").get(0).intValue();
        return IntStream.range(offset, offset + count)
                .map(i -> Math.toIntExact(file.getLong(start + i * Long.BYTES)))
                .toArray();
    }
}
