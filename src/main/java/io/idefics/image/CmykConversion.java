package io.idefics.image;

/** Inks to RGB in Pillow's arithmetic (Convert.c, cmyk2rgb), without a colour profile. */
final class CmykConversion {

    private CmykConversion() {}

    /** Writes one pixel; inks are 0 (none) .. 255. */
    static void write(int cyan, int magenta, int yellow, int black, byte[] rgb, int out) {
        int light = 255 - black;
        rgb[out] = (byte) inked(light, cyan);
        rgb[out + 1] = (byte) inked(light, magenta);
        rgb[out + 2] = (byte) inked(light, yellow);
    }

    private static int inked(int light, int ink) {
        int product = ink * light + 128;
        return Math.max(0, light - (((product >> 8) + product) >> 8));
    }
}
