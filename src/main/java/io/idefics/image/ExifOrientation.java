package io.idefics.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** The EXIF orientation of a picture (tag 0x0112 of EXIF 2.32): how its rows and columns are to be shown. */
final class ExifOrientation {

    /** Rows from the top, columns from the left: nothing to do. */
    static final int NORMAL = 1;

    private static final int ORIENTATION_TAG = 0x0112;
    private static final int SHORT = 3;
    private static final int ENTRY_BYTES = 12;

    private ExifOrientation() {}

    /**
     * The orientation in the first directory of a TIFF structure.
     *
     * @return 1..8; 1 if there is none or the structure is malformed
     */
    static int read(@Nullable ByteBuffer tiff) {
        if (tiff == null || tiff.limit() < 8) {
            return NORMAL;
        }
        int mark = tiff.order(ByteOrder.BIG_ENDIAN).getInt(0);
        if (mark == 0x49492a00) { // "II", 42
            tiff.order(ByteOrder.LITTLE_ENDIAN);
        } else if (mark != 0x4d4d002a) { // "MM", 42
            return NORMAL;
        }
        long directory = Integer.toUnsignedLong(tiff.getInt(4));
        if (directory + 2 > tiff.limit()) {
            return NORMAL;
        }
        int entries = tiff.getShort((int) directory) & 0xffff;
        long entry = directory + 2;
        for (int i = 0; i < entries && entry + ENTRY_BYTES <= tiff.limit(); i++, entry += ENTRY_BYTES) {
            int at = (int) entry;
            if ((tiff.getShort(at) & 0xffff) == ORIENTATION_TAG) {
                int value = tiff.getShort(at + 8) & 0xffff;
                boolean valid = tiff.getShort(at + 2) == SHORT && tiff.getInt(at + 4) == 1 && value >= 1 && value <= 8;
                return valid ? value : NORMAL;
            }
        }
        return NORMAL;
    }

    /**
     * Turns a picture upright.
     *
     * @param orientation 1..8: the place of the first row and the first column
     */
    static RgbImage apply(RgbImage image, int orientation) {
        if (orientation == NORMAL) {
            return image;
        }
        boolean transposed = orientation >= 5;
        boolean flipX = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
        boolean flipY = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
        int width = transposed ? image.height() : image.width();
        int height = transposed ? image.width() : image.height();
        byte[] in = image.rgb();
        byte[] out = new byte[in.length];
        int target = 0;
        for (int y = 0; y < height; y++) {
            int v = flipY ? height - 1 - y : y;
            for (int x = 0; x < width; x++) {
                int u = flipX ? width - 1 - x : x;
                int source = 3 * (transposed ? u * image.width() + v : v * image.width() + u);
                out[target++] = in[source];
                out[target++] = in[source + 1];
                out[target++] = in[source + 2];
            }
        }
        return new RgbImage(width, height, out);
    }
}
