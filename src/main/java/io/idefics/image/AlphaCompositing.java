package io.idefics.image;

/** Compositing over opaque white in the 8-bit fixed-point arithmetic of Pillow's {@code alpha_composite}. */
final class AlphaCompositing {

    private AlphaCompositing() {}

    /**
     * A sample over white.
     *
     * @param sample 0..255, not premultiplied
     * @param alpha 0 (transparent) .. 255
     * @return 0..255
     */
    static int overWhite(int sample, int alpha) {
        if (alpha == 0) {
            return 255;
        }
        int weight = alpha * 128; // of 255 * 128
        int blend = sample * weight + 255 * (32_640 - weight) + (128 << 7);
        return ((blend >> 8) + blend) >> 8 >> 7;
    }
}
