package io.idefics.model;

/**
 * A preprocessed picture.
 *
 * @param values normalised channels, (3, size, size) in row-major order, RGB
 * @param size height and width in pixels
 */
public record PixelValues(float[] values, int size) {}
