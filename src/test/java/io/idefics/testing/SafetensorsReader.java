package io.idefics.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Reads reference data of tests from a safetensors resource: arrays by name, flat, in row-major order. */
public final class SafetensorsReader {

    private final JsonNode header;
    private final ByteBuffer data;

    private SafetensorsReader(JsonNode header, ByteBuffer data) {
        this.header = header;
        this.data = data;
    }

    /** Reads a resource of the test class path, as in {@code golden/images/expected.safetensors}. */
    public static SafetensorsReader ofResource(String name) {
        try (InputStream in = SafetensorsReader.class.getClassLoader().getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalArgumentException("there is no resource " + name);
            }
            ByteBuffer file = ByteBuffer.wrap(in.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN);
            int headerBytes = Math.toIntExact(file.getLong());
            JsonNode header = new ObjectMapper().readTree(file.array(), 8, headerBytes);
            return new SafetensorsReader(
                    header, file.position(8 + headerBytes).slice().order(ByteOrder.LITTLE_ENDIAN));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The dimensions of a tensor. */
    public long[] shape(String name) {
        JsonNode shape = tensor(name).get("shape");
        long[] dimensions = new long[shape.size()];
        for (int i = 0; i < dimensions.length; i++) {
            dimensions[i] = shape.get(i).asLong();
        }
        return dimensions;
    }

    /** The values of an F32 tensor. */
    public float[] floats(String name) {
        ByteBuffer bytes = bytes(name, "F32");
        float[] values = new float[bytes.remaining() / Float.BYTES];
        bytes.asFloatBuffer().get(values);
        return values;
    }

    /** The values of an I64 tensor. */
    public long[] longs(String name) {
        ByteBuffer bytes = bytes(name, "I64");
        long[] values = new long[bytes.remaining() / Long.BYTES];
        bytes.asLongBuffer().get(values);
        return values;
    }

    /** The values of a U8 tensor, as unsigned bytes. */
    public byte[] bytes(String name) {
        ByteBuffer bytes = bytes(name, "U8");
        byte[] values = new byte[bytes.remaining()];
        bytes.get(values);
        return values;
    }

    private ByteBuffer bytes(String name, String type) {
        JsonNode tensor = tensor(name);
        String actual = tensor.get("dtype").asText();
        if (!actual.equals(type)) {
            throw new IllegalArgumentException("tensor " + name + " is " + actual + ", not " + type);
        }
        int start = tensor.get("data_offsets").get(0).asInt();
        int end = tensor.get("data_offsets").get(1).asInt();
        return data.slice(start, end - start).order(ByteOrder.LITTLE_ENDIAN);
    }

    private JsonNode tensor(String name) {
        JsonNode tensor = header.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("there is no tensor " + name);
        }
        return tensor;
    }
}
