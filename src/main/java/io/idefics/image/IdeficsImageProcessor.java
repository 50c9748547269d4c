package io.idefics.image;

/**
 * Turns pictures into the input of the vision encoder, bit for bit as the reference's IdeficsImageProcessor does.
 *
 * <p>The picture is resized to a square, its aspect not kept, with Pillow's 8-bit bicubic filter (Resample.c), then
 * scaled to 0..1 and normalised with the mean and standard deviation of each channel. Safe for concurrent use.
 */
public final class IdeficsImageProcessor {

    private static final int CHANNELS = 3;

    private final int imageSize;
    private final float[] normalised; // (3, 256): the value of each channel's level

    /**
     * @param imageSize height and width of the result in pixels
     * @param mean of each channel, R G B, of values in 0..1
     * @param std of each channel, R G B, not zero
     */
    public IdeficsImageProcessor(int imageSize, float[] mean, float[] std) {
        if (imageSize < 1) {
            throw new IllegalArgumentException("the image size is " + imageSize + "; at least 1 is needed");
        }
        if (mean.length != CHANNELS || std.length != CHANNELS) {
            throw new IllegalArgumentException(
                    mean.length + " means and " + std.length + " deviations were given; 3 of each are needed");
        }
        this.imageSize = imageSize;
        this.normalised = new float[CHANNELS * 256];
        for (int channel = 0; channel < CHANNELS; channel++) {
            for (int level = 0; level < 256; level++) {
                // The reference rescales in double and normalises in float.
                float rescaled = (float) (level * (1.0 / 255));
                normalised[256 * channel + level] = (rescaled - mean[channel]) / std[channel];
            }
        }
    }

    /** Height and width of the result in pixels. */
    public int imageSize() {
        return imageSize;
    }

    /**
     * The input of the vision encoder for a picture.
     *
     * @return (3, imageSize, imageSize) in row-major order, RGB
     */
    public float[] pixelValues(RgbImage image) {
        byte[] resized = BicubicResize.resize(image, imageSize, imageSize).rgb();
        int plane = imageSize * imageSize;
        float[] values = new float[CHANNELS * plane];
        for (int i = 0; i < plane; i++) {
            values[i] = normalised[resized[3 * i] & 0xff];
            values[plane + i] = normalised[256 + (resized[3 * i + 1] & 0xff)];
            values[2 * plane + i] = normalised[512 + (resized[3 * i + 2] & 0xff)];
        }
        return values;
    }
}
