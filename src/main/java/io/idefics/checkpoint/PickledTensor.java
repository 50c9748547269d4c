package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

/**
 * A tensor as a torch pickle describes it: a strided view of a storage. Sizes, strides and offset count elements.
 *
 * @param storage the numbers it views; several tensors may share them
 */
record PickledTensor(Storage storage, long offset, long[] shape, long[] strides) {

    /** A run of numbers, stored as the archive member {@code data/<key>}. */
    record Storage(TensorType type, String key, long elements) {

        Storage {
            if (!key.matches("[A-Za-z0-9_]{1,64}")) {
                throw new IllegalArgumentException("has the storage key " + quote(key) + ", not a plain name");
            }
            if (elements < 0 || elements > Long.MAX_VALUE / type.byteSize()) {
                throw new IllegalArgumentException("has a storage of " + elements + " elements");
            }
        }

        long bytes() {
            return elements * type.byteSize();
        }
    }

    private static final int MAX_RANK = 8;

    /** @throws IllegalArgumentException when the view reaches outside its storage; the message lacks the name */
    PickledTensor {
        if (shape.length != strides.length || shape.length > MAX_RANK) {
            throw new IllegalArgumentException(
                    "has " + shape.length + " sizes and " + strides.length + " strides, at most " + MAX_RANK);
        }
        long last = offset;
        for (int axis = 0; axis < shape.length; axis++) {
            if (shape[axis] < 0 || strides[axis] < 0) {
                throw new IllegalArgumentException("has a negative size or stride");
            }
            last = addExact(last, multiplyExact(Math.max(shape[axis] - 1, 0), strides[axis]));
        }
        long elements = elements(shape);
        // A view with more elements than its storage repeats them (stride 0): no weight does, and copying it could fill
        // the memory.
        boolean inside = offset >= 0 && elements <= storage.elements() && (elements == 0 || last < storage.elements());
        if (!inside) {
            throw new IllegalArgumentException("reaches element " + last + " with " + elements
                    + " elements from offset " + offset + " of a storage of " + storage.elements());
        }
    }

    long elements() {
        return elements(shape);
    }

    /** Elements of the storage from the first that is viewed to the last, both included; of a view that is not empty. */
    long span() {
        long span = 1;
        for (int axis = 0; axis < shape.length; axis++) {
            span += (shape[axis] - 1) * strides[axis];
        }
        return span;
    }

    /** Whether the elements lie in the storage one after another in row-major order. */
    boolean contiguous() {
        long stride = 1;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            if (shape[axis] != 1 && strides[axis] != stride) {
                return elements() == 0;
            }
            stride *= Math.max(shape[axis], 1);
        }
        return true;
    }

    private static long elements(long[] shape) {
        long elements = 1;
        for (long size : shape) {
            elements = multiplyExact(elements, size);
        }
        return elements;
    }

    private static long multiplyExact(long a, long b) {
        try {
            return Math.multiplyExact(a, b);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("has sizes whose product overflows", e);
        }
    }

    private static long addExact(long a, long b) {
        try {
            return Math.addExact(a, b);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("has strides whose sum overflows", e);
        }
    }
}
