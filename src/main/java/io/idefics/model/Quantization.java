package io.idefics.model;

/** In how many bits matrices are kept. Embeddings, norms, gates and biases are never quantised. */
public enum Quantization {
    /** As many as the compute type has. */
    NONE,
    /** 8 bits and a scale for each row. */
    INT8,
    /** 4 bits, a scale and a zero point for each group of a row in the decoder; 8 bits in the vision tower and the head. */
    INT4
}
