package io.idefics.model;

import ai.djl.pytorch.jni.IValue;

/**
 * What the decoder sees of the images of a prompt: keys and values of every gated cross-attention block, (I, H, L, D)
 * each, computed once an image and kept on the device until this is closed.
 */
public final class ImageStates implements AutoCloseable {

    private final IValue handle;
    private final int images;

    ImageStates(IValue handle, int images) {
        this.handle = handle;
        this.images = images;
    }

    IValue handle() {
        return handle;
    }

    /** The number of images. */
    public int images() {
        return images;
    }

    @Override
    public void close() {
        handle.close();
    }
}
