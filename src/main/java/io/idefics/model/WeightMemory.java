package io.idefics.model;

/**
 * What the weights of a model take.
 *
 * @param resident bytes that the model has for itself, on its device; the padding that kernels add to odd shapes aside
 * @param mapped bytes of the weight files that are read in place: page cache, which all models of the same files share
 *     and which the system may drop
 */
public record WeightMemory(long resident, long mapped) {}
