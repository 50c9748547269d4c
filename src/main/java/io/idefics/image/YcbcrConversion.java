package io.idefics.image;

/** YCbCr to RGB in the 16-bit fixed-point arithmetic of libjpeg (jdcolor.c); samples are 0..255. */
final class YcbcrConversion {

    private static final int HALF = 1 << 15;
    private static final int[] RED_OF_CR = new int[256];
    private static final int[] BLUE_OF_CB = new int[256];
    private static final int[] GREEN_OF_CB = new int[256]; // 16 fraction bits
    private static final int[] GREEN_OF_CR = new int[256]; // 16 fraction bits, rounding included

    static {
        for (int i = 0; i < 256; i++) {
            int chroma = i - 128;
            RED_OF_CR[i] = (fixed(1.40200) * chroma + HALF) >> 16;
            BLUE_OF_CB[i] = (fixed(1.77200) * chroma + HALF) >> 16;
            GREEN_OF_CR[i] = -fixed(0.71414) * chroma + HALF;
            GREEN_OF_CB[i] = -fixed(0.34414) * chroma;
        }
    }

    private YcbcrConversion() {}

    static int red(int y, int cr) {
        return clip(y + RED_OF_CR[cr]);
    }

    static int green(int y, int cb, int cr) {
        return clip(y + ((GREEN_OF_CB[cb] + GREEN_OF_CR[cr]) >> 16));
    }

    static int blue(int y, int cb) {
        return clip(y + BLUE_OF_CB[cb]);
    }

    private static int fixed(double factor) {
        return (int) (factor * 65_536 + 0.5);
    }

    private static int clip(int value) {
        return Math.max(0, Math.min(255, value));
    }
}
