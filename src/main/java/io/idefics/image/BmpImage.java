package io.idefics.image;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A Windows bitmap of 1, 4, 8, 16, 24 or 32 bits per pixel. */
final class BmpImage implements EncodedImage {

    /** Bytes of the file header and the smallest information header. */
    static final int SMALLEST_HEADER = 26;

    private static final int CORE_HEADER_BYTES = 12;
    private static final int UNCOMPRESSED = 0;
    private static final int BIT_FIELDS = 3;
    private static final int FIRST_HEADER_WITH_COLOR_SPACE = 108;
    private static final int STANDARD_COLORS = 0x73524742; // LCS_sRGB

    private final byte[] bytes;
    private final ImageHeader header;

    private BmpImage(byte[] bytes, ImageHeader header) {
        this.bytes = bytes;
        this.header = header;
    }

    static BmpImage parse(byte[] bytes) throws MalformedImageException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        boolean core = buffer.getInt(14) == CORE_HEADER_BYTES;
        long width = core ? buffer.getShort(18) & 0xffff : buffer.getInt(18);
        long height = core ? buffer.getShort(20) & 0xffff : Math.abs((long) buffer.getInt(22)); // negative: top down
        int bitsPerPixel = buffer.getShort(core ? 24 : 28) & 0xffff;
        int compression = core ? UNCOMPRESSED : buffer.getInt(30);
        if (width < 1 || height < 1 || height > Integer.MAX_VALUE) {
            throw new MalformedImageException("has no pixels");
        }
        if (compression < UNCOMPRESSED || compression > BIT_FIELDS) {
            throw new MalformedImageException("is compressed in a way that is not supported");
        }
        switch (bitsPerPixel) {
            case 1, 4, 8, 16, 24, 32 -> {
                // supported
            }
            default -> throw new MalformedImageException("has an unsupported number of bits per pixel");
        }
        if (compression == UNCOMPRESSED || compression == BIT_FIELDS) {
            long stride = (width * bitsPerPixel + 31) / 32 * 4;
            // The padding of the last row may be missing.
            long needed = stride * (height - 1) + (width * bitsPerPixel + 7) / 8;
            if (Integer.toUnsignedLong(buffer.getInt(10)) + needed > bytes.length) {
                throw new MalformedImageException("is truncated");
            }
        }
        return new BmpImage(bytes, ImageHeader.of(ImageFormat.BMP, (int) width, (int) height, 4 + 3));
    }

    @Override
    public ImageHeader header() {
        return header;
    }

    @Override
    public int orientation() {
        return ExifOrientation.NORMAL;
    }

    @Override
    public RgbImage decode(Deadline deadline) throws IOException {
        BufferedImage image = ImageReaders.BMP.read(plain(), deadline);
        if (image.getColorModel() instanceof IndexColorModel palette) {
            int[] colors = new int[palette.getMapSize()];
            palette.getRGBs(colors);
            return Samples.indexedToRgb(image.getRaster(), colors);
        }
        return Samples.packedToRgb(image.getRaster());
    }

    /** This file with its true size, and standard colours instead of a profile, which the reader would load. */
    private byte[] plain() {
        byte[] plain = bytes.clone();
        ByteBuffer buffer =
                ByteBuffer.wrap(plain).order(ByteOrder.LITTLE_ENDIAN).putInt(2, bytes.length);
        if (buffer.getInt(14) >= FIRST_HEADER_WITH_COLOR_SPACE) {
            buffer.putInt(70, STANDARD_COLORS);
        }
        return plain;
    }
}
