package io.idefics.image;

import java.awt.image.Raster;
import java.awt.image.SampleModel;

/** Rasters of samples to RGB on white, without Java's colour management. */
final class Samples {

    private Samples() {}

    /**
     * Direct colours to RGB.
     *
     * @param raster samples of 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha) bands
     * @param shift bits dropped from the low end of each sample to leave 8
     */
    static RgbImage toRgb(Raster raster, int shift) {
        int width = raster.getWidth();
        int height = raster.getHeight();
        int bands = raster.getNumBands();
        byte[] rgb = new byte[3 * width * height];
        int[] row = new int[bands * width];
        int out = 0;
        for (int y = 0; y < height; y++) {
            raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
            if (bands == 3) {
                for (int i = 0; i < row.length; i++) {
                    rgb[out++] = (byte) (row[i] >> shift);
                }
            } else {
                int colors = bands - 1;
                for (int i = 0; i < row.length; i += bands) {
                    int alpha = row[i + colors] >> shift;
                    for (int c = 0; c < 3; c++) {
                        int sample = row[i + (colors == 3 ? c : 0)] >> shift;
                        rgb[out++] = (byte) AlphaCompositing.overWhite(sample, alpha);
                    }
                }
            }
        }
        return new RgbImage(width, height, rgb);
    }

    /**
     * Indexes, which gray levels are too, to RGB.
     *
     * @param raster samples of 1 band
     * @param colors 0xRRGGBB for each index; indexes beyond are black
     */
    static RgbImage indexedToRgb(Raster raster, int[] colors) {
        int width = raster.getWidth();
        byte[] rgb = new byte[3 * width * raster.getHeight()];
        int[] row = new int[width];
        int out = 0;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getSamples(raster.getMinX(), raster.getMinY() + y, width, 1, 0, row);
            for (int index : row) {
                int color = index < colors.length ? colors[index] : 0;
                rgb[out++] = (byte) (color >> 16);
                rgb[out++] = (byte) (color >> 8);
                rgb[out++] = (byte) color;
            }
        }
        return new RgbImage(width, raster.getHeight(), rgb);
    }

    /**
     * Packed pixels with samples of less than 8 bits, stretched to 8 bits, to RGB.
     *
     * @param raster samples of 3 (RGB) or 4 (RGB, alpha) bands of any depth up to 8 bits
     */
    static RgbImage packedToRgb(Raster raster) {
        SampleModel model = raster.getSampleModel();
        int bands = raster.getNumBands();
        int width = raster.getWidth();
        byte[] rgb = new byte[3 * width * raster.getHeight()];
        int[] row = new int[bands * width];
        int[] max = new int[bands];
        for (int band = 0; band < bands; band++) {
            max[band] = Math.max(1, (1 << model.getSampleSize(band)) - 1);
        }
        int out = 0;
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
            for (int i = 0; i < row.length; i += bands) {
                int alpha = bands == 4 ? row[i + 3] * 255 / max[3] : 255;
                for (int c = 0; c < 3; c++) {
                    rgb[out++] = (byte) AlphaCompositing.overWhite(row[i + c] * 255 / max[c], alpha);
                }
            }
        }
        return new RgbImage(width, raster.getHeight(), rgb);
    }

    /** A colour over white, as 0xRRGGBB. */
    static int overWhite(int red, int green, int blue, int alpha) {
        return AlphaCompositing.overWhite(red, alpha) << 16
                | AlphaCompositing.overWhite(green, alpha) << 8
                | AlphaCompositing.overWhite(blue, alpha);
    }
}
