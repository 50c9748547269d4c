package io.idefics.model;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A preprocessed picture.
 *
 * @param values normalised channels, (3, size, size) in row-major order, RGB
 * @param size height and width in pixels
 * @param digest the SHA-256 of the values in hexadecimal: equal for pictures that the model cannot tell apart
 */
public record PixelValues(float[] values, int size, String digest) {

    /** Computes the digest. */
    public PixelValues(float[] values, int size) {
        this(values, size, digest(values));
    }

    private static String digest(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return Sha256.hex(bytes.array());
    }
}
