package io.idefics.image;

import java.util.Arrays;

/**
 * Pillow's bicubic resize of 8-bit pictures (Resample.c): antialiased, separable, in fixed point.
 *
 * <p>The horizontal pass comes first and stores bytes, so that overshoot is clipped after each pass; an axis that
 * already has the right size is skipped.
 */
final class BicubicResize {

    private static final double SUPPORT = 2.0;
    private static final int PRECISION_BITS = 22;
    private static final int HALF = 1 << (PRECISION_BITS - 1);

    private BicubicResize() {}

    static RgbImage resize(RgbImage image, int width, int height) {
        RgbImage result = image;
        if (width != result.width()) {
            result = resizeRows(result, Filter.of(result.width(), width));
        }
        if (height != result.height()) {
            result = resizeColumns(result, Filter.of(result.height(), height));
        }
        return result;
    }

    /**
     * The weights of one axis.
     *
     * @param first the first input sample of each output sample
     * @param weights those of each output sample, with 22 fraction bits
     */
    private record Filter(int[] first, int[][] weights) {

        static Filter of(int in, int out) {
            double scale = (double) in / out;
            double filterScale = Math.max(scale, 1.0);
            double support = SUPPORT * filterScale;
            double inverse = 1.0 / filterScale;
            int[] first = new int[out];
            int[][] weights = new int[out][];
            for (int x = 0; x < out; x++) {
                double centre = (x + 0.5) * scale;
                int low = Math.max(0, (int) (centre - support + 0.5));
                int high = Math.min(in, (int) (centre + support + 0.5));
                double[] exact = new double[high - low];
                double sum = 0;
                for (int i = 0; i < exact.length; i++) {
                    exact[i] = bicubic((i + low - centre + 0.5) * inverse);
                    sum += exact[i];
                }
                first[x] = low;
                weights[x] = new int[exact.length];
                for (int i = 0; i < exact.length; i++) {
                    double weight = sum == 0 ? exact[i] : exact[i] / sum;
                    weights[x][i] = (int) (weight * (1 << PRECISION_BITS) + (weight < 0 ? -0.5 : 0.5));
                }
            }
            return new Filter(first, weights);
        }

        /** The cubic convolution kernel with a = -0.5 (Keys, 1981). */
        private static double bicubic(double position) {
            double a = -0.5;
            double x = Math.abs(position);
            if (x < 1.0) {
                return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
            }
            return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
        }
    }

    private static RgbImage resizeRows(RgbImage image, Filter filter) {
        byte[] in = image.rgb();
        int width = filter.first().length;
        byte[] out = new byte[3 * width * image.height()];
        int target = 0;
        for (int y = 0; y < image.height(); y++) {
            int row = 3 * y * image.width();
            for (int x = 0; x < width; x++) {
                int[] weights = filter.weights()[x];
                int source = row + 3 * filter.first()[x];
                int red = HALF;
                int green = HALF;
                int blue = HALF;
                for (int weight : weights) {
                    red += weight * (in[source] & 0xff);
                    green += weight * (in[source + 1] & 0xff);
                    blue += weight * (in[source + 2] & 0xff);
                    source += 3;
                }
                out[target] = clip(red);
                out[target + 1] = clip(green);
                out[target + 2] = clip(blue);
                target += 3;
            }
        }
        return new RgbImage(width, image.height(), out);
    }

    private static RgbImage resizeColumns(RgbImage image, Filter filter) {
        byte[] in = image.rgb();
        int height = filter.first().length;
        int rowBytes = 3 * image.width();
        byte[] out = new byte[rowBytes * height];
        int[] sums = new int[rowBytes];
        for (int y = 0; y < height; y++) {
            Arrays.fill(sums, HALF);
            int source = filter.first()[y] * rowBytes;
            for (int weight : filter.weights()[y]) {
                for (int i = 0; i < rowBytes; i++) {
                    sums[i] += weight * (in[source + i] & 0xff);
                }
                source += rowBytes;
            }
            for (int i = 0; i < rowBytes; i++) {
                out[y * rowBytes + i] = clip(sums[i]);
            }
        }
        return new RgbImage(image.width(), height, out);
    }

    private static byte clip(int sum) {
        return (byte) Math.max(0, Math.min(255, sum >> PRECISION_BITS));
    }
}
