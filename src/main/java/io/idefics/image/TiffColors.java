package io.idefics.image;

/** What the samples of a TIFF picture mean (TIFF 6.0, PhotometricInterpretation and what belongs to it), as in Pillow. */
final class TiffColors {

    private static final int PHOTOMETRIC = 262;
    private static final int COLOR_MAP = 320;
    private static final int EXTRA_SAMPLES = 338;
    private static final int SAMPLE_FORMAT = 339;
    private static final int YCBCR_SUBSAMPLING = 530;

    private static final int WHITE_IS_ZERO = 0;
    private static final int BLACK_IS_ZERO = 1;
    private static final int RGB = 2;
    private static final int PALETTE = 3;
    private static final int CMYK = 5;
    private static final int YCBCR = 6;

    private static final int SIGNED = 2;
    private static final int FLOAT = 3;
    private static final int PREMULTIPLIED = 1;

    private final int photometric;
    private final int samples; // per pixel
    private final int bits; // of a sample
    private final int format; // of a sample
    private final boolean hasAlpha;
    private final boolean isPremultiplied;
    private final boolean isSubsampled;
    private final int[] table; // 0xRRGGBB of each gray level or index of up to 8 bits

    private TiffColors(TiffDirectory directory, int samples, int bits) throws MalformedImageException {
        // A single luma is gray.
        long stated = directory.number(PHOTOMETRIC, WHITE_IS_ZERO);
        this.photometric = stated == YCBCR && samples == 1 ? BLACK_IS_ZERO : (int) Math.min(stated, 1000);
        this.samples = samples;
        this.bits = bits;
        this.format = (int) directory.number(SAMPLE_FORMAT, 1);
        int colors =
                switch (photometric) {
                    case WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE -> 1;
                    case RGB, YCBCR -> 3;
                    case CMYK -> 4;
                    default -> throw new MalformedImageException("has colours of a kind that is not supported");
                };
        if (samples < colors) {
            throw new MalformedImageException("has too few samples per pixel");
        }
        // Four samples without a word are RGB and alpha.
        long extra = directory.number(EXTRA_SAMPLES, photometric == RGB && samples == 4 ? 2 : 0);
        this.hasAlpha = samples > colors && extra != 0 && photometric != CMYK && photometric != YCBCR;
        this.isPremultiplied = extra == PREMULTIPLIED;
        this.isSubsampled = photometric == YCBCR
                && (directory.number(YCBCR_SUBSAMPLING, 2) != 1
                        || (directory.has(YCBCR_SUBSAMPLING) && directory.number(YCBCR_SUBSAMPLING, 2, 1) != 1));
        boolean isGray = colors == 1 && photometric != PALETTE;
        boolean isKnown =
                switch (bits) {
                    case 1, 2, 4 -> samples == 1 && format == 1;
                    case 8 -> format == 1 || (isGray && format == SIGNED);
                    case 12 -> isGray && samples == 1 && format == 1;
                    case 16 ->
                        photometric != PALETTE && photometric != YCBCR && (format == 1 || (isGray && format == SIGNED));
                    case 32 -> isGray && samples == 1;
                    default -> false;
                };
        if (!isKnown) {
            throw new MalformedImageException("has samples of a kind that is not supported");
        }
        this.table = table(directory);
    }

    static TiffColors of(TiffDirectory directory, int samples, int bits) throws MalformedImageException {
        return new TiffColors(directory, samples, bits);
    }

    /** Whether chroma samples may stand for more than one pixel. */
    boolean isSubsampled() {
        return isSubsampled;
    }

    private int[] table(TiffDirectory directory) throws MalformedImageException {
        if (bits > 8 || photometric > PALETTE || photometric == RGB) {
            return new int[0];
        }
        int size = 1 << bits;
        int[] colors = new int[size];
        for (int i = 0; i < size; i++) {
            if (photometric == PALETTE) {
                // All red entries come first, then green, then blue, of 16 bits each.
                for (int band = 0; band < 3; band++) {
                    colors[i] = colors[i] << 8 | (int) (directory.number(COLOR_MAP, 0, i + band * size) >> 8 & 0xff);
                }
            } else {
                int gray = i * 255 / (size - 1);
                colors[i] = (photometric == WHITE_IS_ZERO ? 255 - gray : gray) * 0x010101;
            }
        }
        return colors;
    }

    /** Writes a row of pixels over white. */
    void write(int[] row, int columns, byte[] rgb, int start) {
        int out = start;
        for (int x = 0, i = 0; x < columns; x++, i += samples, out += 3) {
            switch (photometric) {
                case RGB -> writeRgb(row, i, rgb, out);
                case CMYK -> {
                    int shift = bits - 8;
                    CmykConversion.write(
                            row[i] >> shift, row[i + 1] >> shift, row[i + 2] >> shift, row[i + 3] >> shift, rgb, out);
                }
                case YCBCR -> {
                    rgb[out] = (byte) YcbcrConversion.red(row[i], row[i + 2]);
                    rgb[out + 1] = (byte) YcbcrConversion.green(row[i], row[i + 1], row[i + 2]);
                    rgb[out + 2] = (byte) YcbcrConversion.blue(row[i], row[i + 1]);
                }
                default -> {
                    int color = table.length > 0 ? table[row[i]] : clipped(row[i]) * 0x010101;
                    int alpha = hasAlpha ? row[i + 1] : 255;
                    rgb[out] = (byte) AlphaCompositing.overWhite(color >> 16, alpha);
                    rgb[out + 1] = (byte) AlphaCompositing.overWhite(color >> 8 & 0xff, alpha);
                    rgb[out + 2] = (byte) AlphaCompositing.overWhite(color & 0xff, alpha);
                }
            }
        }
    }

    private void writeRgb(int[] row, int i, byte[] rgb, int out) {
        int shift = bits - 8;
        int alpha = hasAlpha ? row[i + 3] >> shift : 255;
        for (int band = 0; band < 3; band++) {
            int sample = row[i + band] >> shift;
            if (isPremultiplied && hasAlpha && alpha != 0 && alpha != 255) {
                sample = Math.min(255, sample * 255 / alpha);
            }
            rgb[out + band] = (byte) (hasAlpha ? AlphaCompositing.overWhite(sample, alpha) : sample);
        }
    }

    /** A gray level of more than 8 bits, clipped as Pillow's modes I;16, I and F are. */
    private int clipped(int sample) {
        if (format == FLOAT) {
            return (int) Math.max(0, Math.min(255, Float.intBitsToFloat(sample)));
        }
        int value = bits == 16 && format == SIGNED ? (short) sample : sample;
        return Math.max(0, Math.min(255, value));
    }
}
