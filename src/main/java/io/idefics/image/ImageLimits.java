package io.idefics.image;

/**
 * What a picture may ask of the decoder; checked against its header before pixels are read.
 *
 * @param maxPixels width times height
 * @param maxSide width or height, in pixels
 * @param maxScans scans of a JPEG: each one is a pass over the whole picture, however few bytes it has
 * @param maxScannedPixels scans times pixels
 */
public record ImageLimits(long maxPixels, int maxSide, int maxScans, long maxScannedPixels) {

    public static final long DEFAULT_MAX_PIXELS = 50_000_000;
    public static final int DEFAULT_MAX_SIDE = 32_768;

    private static final long MOST_PIXELS = 500_000_000; // their samples have to fit into one array
    private static final int MAX_SCANS = 100;
    private static final int MAX_FULL_SIZE_SCANS = 20;

    public ImageLimits {
        if (maxPixels < 1 || maxPixels > MOST_PIXELS) {
            throw new IllegalArgumentException(
                    "the limit on pixels is " + maxPixels + "; it has to be 1 to " + MOST_PIXELS);
        }
    }

    /** Limits on the size of pictures, with scans limited so that the largest allowed picture may have 20. */
    public ImageLimits(long maxPixels, int maxSide) {
        this(maxPixels, maxSide, MAX_SCANS, maxPixels * MAX_FULL_SIZE_SCANS);
    }

    /** 50 million pixels, sides of 32768. */
    public static ImageLimits defaults() {
        return new ImageLimits(DEFAULT_MAX_PIXELS, DEFAULT_MAX_SIDE);
    }
}
