package io.idefics.model;

/** How matrices that are not quantised lie in memory. */
public enum WeightLayout {
    /** As in the weight files, mapped where they have the compute type: no copy, and the page cache is shared. */
    MAPPED,
    /** Copied into the order of the processor's matrix kernels, which read them faster. Bfloat16 on the CPU only. */
    PACKED
}
