package io.idefics.checkpoint;

import java.nio.ByteBuffer;

/**
 * A tensor as it lies in a weight file.
 *
 * @param type the element type
 * @param shape the sizes of the dimensions; empty for a scalar
 * @param data a direct, little-endian view of exactly the tensor's bytes in row-major order, mapped from
 *     the file and aligned to the element size
 */
public record StoredTensor(TensorType type, long[] shape, ByteBuffer data) {}
