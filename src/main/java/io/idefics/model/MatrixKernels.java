package io.idefics.model;

/**
 * What the matrix kernels of this machine offer beyond plain products.
 *
 * @param packed whether bfloat16 matrices can be packed
 * @param int8 whether products of int8 matrices are exact
 */
record MatrixKernels(boolean packed, boolean int8) {

    static final MatrixKernels PLAIN = new MatrixKernels(false, false);
}
