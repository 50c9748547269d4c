package io.idefics.image;

/**
 * A decoded picture of opaque 8-bit RGB pixels.
 *
 * @param width pixels in a row, at least 1
 * @param height rows, at least 1
 * @param rgb samples, (height, width, 3) in row-major order, not copied
 */
public record RgbImage(int width, int height, byte[] rgb) {

    public RgbImage {
        if (width < 1 || height < 1 || rgb.length != 3L * width * height) {
            throw new IllegalArgumentException(
                    rgb.length + " bytes are not a picture of " + width + " x " + height + " RGB pixels");
        }
    }
}
