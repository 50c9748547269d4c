package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;

/**
 * The size of a picture as its header claims, known before any pixel is read.
 *
 * @param format the format of the file
 * @param width pixels in a row of the whole picture, at least 1
 * @param height rows of the whole picture, at least 1
 * @param scans passes over the pixels that the decoder has to make
 * @param decodingBytes the most memory that the decoder has at one time, the pixels that come out included
 */
public record ImageHeader(ImageFormat format, int width, int height, int scans, long decodingBytes) {

    private static final int RGB_BYTES = 3;

    public ImageHeader {
        // Turning a picture takes its pixels twice.
        decodingBytes = Math.max(decodingBytes, 2L * RGB_BYTES * width * height);
    }

    /** Of a picture that is decoded with memory in proportion to its pixels, those that come out included. */
    static ImageHeader of(ImageFormat format, int width, int height, int bytesPerPixel) {
        return new ImageHeader(format, width, height, 1, (long) bytesPerPixel * width * height);
    }

    /**
     * Walks the container of a picture, without decoding and without memory of the picture's size.
     *
     * @throws GenerationException with INVALID_IMAGE_FORMAT if it is no picture or its container is malformed
     */
    public static ImageHeader parse(byte[] bytes, String param) {
        return EncodedImage.parse(bytes, param).header();
    }

    public long pixels() {
        return (long) width * height;
    }

    /**
     * Refuses pictures beyond the limits.
     *
     * @throws GenerationException with IMAGE_TOO_LARGE
     */
    void check(ImageLimits limits, String param) {
        if (Math.max(width, height) > limits.maxSide()) {
            throw tooLarge(
                    "the picture is " + width + " x " + height + " pixels; the limit for a side is " + limits.maxSide(),
                    param);
        }
        if (pixels() > limits.maxPixels()) {
            throw tooLarge(
                    "the picture has " + width + " x " + height + " = " + pixels() + " pixels; the limit is "
                            + limits.maxPixels(),
                    param);
        }
        if (scans > limits.maxScans()) {
            throw tooLarge("the picture has " + scans + " scans; the limit is " + limits.maxScans(), param);
        }
        if (scans * pixels() > limits.maxScannedPixels()) {
            throw tooLarge(
                    "the picture has " + scans + " scans of " + pixels() + " pixels; the limit is "
                            + limits.maxScannedPixels() + " scanned pixels",
                    param);
        }
    }

    private static GenerationException tooLarge(String message, String param) {
        return new GenerationException(ErrorType.IMAGE_TOO_LARGE, message, param);
    }
}
