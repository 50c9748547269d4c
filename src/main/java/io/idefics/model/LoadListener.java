package io.idefics.model;

/** Hears how far the loading of weights is, on the loading thread. */
@FunctionalInterface
public interface LoadListener {

    /** Called after each tensor, with the bytes of the checkpoint that are done and all that there are. */
    void loaded(long bytes, long totalBytes);
}
