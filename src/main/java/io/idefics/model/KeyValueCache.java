package io.idefics.model;

import ai.djl.pytorch.jni.IValue;

/**
 * Keys and values of the decoder's self-attention for all tokens that were run so far, on the device, until this is
 * closed. It grows as tokens come.
 */
public final class KeyValueCache implements AutoCloseable {

    private final IValue handle;
    private final int rows;
    private int length;

    KeyValueCache(IValue handle, int rows) {
        this.handle = handle;
        this.rows = rows;
    }

    IValue handle() {
        return handle;
    }

    /** The number of sequences side by side. */
    public int rows() {
        return rows;
    }

    /** The number of tokens of each row, padding included. */
    public int length() {
        return length;
    }

    void advance(int tokens) {
        length += tokens;
    }

    @Override
    public void close() {
        handle.close();
    }
}
