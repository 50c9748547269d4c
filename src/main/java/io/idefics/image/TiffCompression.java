package io.idefics.image;

import java.awt.image.DataBufferByte;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * The compression of the strips and tiles of a TIFF file (TIFF 6.0, sections 7, 9 to 11 and 13; Technical Note 2 and
 * Adobe's deflate). A strip is decompressed to exactly the bytes that its rows have; one that ends before is an error.
 */
final class TiffCompression {

    static final int NONE = 1;
    static final int JPEG = 7;

    private static final int MODIFIED_HUFFMAN = 2;
    private static final int GROUP_4 = 4;
    private static final int LZW = 5;
    private static final int DEFLATE = 8;
    private static final int PACK_BITS = 32_773;
    private static final int OLD_DEFLATE = 32_946;

    private static final int LZW_CLEAR = 256;
    private static final int LZW_END = 257;
    private static final int LZW_CODES = 4096;

    private TiffCompression() {}

    static boolean isFax(int compression) {
        return compression >= MODIFIED_HUFFMAN && compression <= GROUP_4;
    }

    static boolean isSupported(int compression) {
        return switch (compression) {
            case NONE, LZW, JPEG, DEFLATE, PACK_BITS, OLD_DEFLATE -> true;
            default -> isFax(compression);
        };
    }

    /** Whether a predictor counts, which files name with other compressions too. */
    static boolean isPredicted(int compression) {
        return compression == LZW || compression == DEFLATE || compression == OLD_DEFLATE;
    }

    /** Decompresses bytes, of any compression but JPEG and those of facsimile. */
    static void decompress(int compression, byte[] in, int start, int length, byte[] out, Deadline deadline)
            throws IOException {
        switch (compression) {
            case NONE -> {
                require(length >= out.length);
                System.arraycopy(in, start, out, 0, out.length);
            }
            case LZW -> unpackLzw(in, start, start + length, out, deadline);
            case PACK_BITS -> unpackBits(in, start, start + length, out);
            case DEFLATE, OLD_DEFLATE -> inflate(in, start, length, out);
            default -> throw new IllegalArgumentException("compression " + compression);
        }
    }

    private static void require(boolean isThere) throws MalformedImageException {
        if (!isThere) {
            throw new MalformedImageException("is truncated");
        }
    }

    private static void unpackBits(byte[] in, int start, int end, byte[] out) throws IOException {
        int position = start;
        int written = 0;
        while (written < out.length) {
            require(position + 1 < end);
            int control = in[position++];
            if (control >= 0) {
                int count = Math.min(control + 1, out.length - written);
                require(position + count <= end);
                System.arraycopy(in, position, out, written, count);
                position += count;
                written += count;
            } else if (control != -128) {
                int runEnd = Math.min(out.length, written + 1 - control);
                byte value = in[position++];
                while (written < runEnd) {
                    out[written++] = value;
                }
            }
        }
    }

    private static void inflate(byte[] in, int start, int length, byte[] out) throws IOException {
        Inflater inflater = new Inflater();
        try {
            inflater.setInput(in, start, length);
            int written = 0;
            while (written < out.length) {
                int count = inflater.inflate(out, written, out.length - written);
                require(count > 0);
                written += count;
            }
        } catch (DataFormatException e) {
            throw new IOException(e);
        } finally {
            inflater.end();
        }
    }

    private static void unpackLzw(byte[] in, int start, int end, byte[] out, Deadline deadline) throws IOException {
        int[] firstByte = new int[LZW_CODES]; // where in the output the string of a code begins
        int[] lengths = new int[LZW_CODES];
        int position = start;
        int bits = 0;
        int bitCount = 0;
        int codeSize = 9;
        int next = LZW_END + 1;
        int previousStart = -1;
        int previousLength = 0;
        int written = 0;
        int codes = 0;
        while (written < out.length) {
            if ((codes++ & 0xffff) == 0) {
                deadline.check();
            }
            while (bitCount < codeSize) {
                require(position < end);
                bits = bits << 8 | in[position++] & 0xff;
                bitCount += 8;
            }
            bitCount -= codeSize;
            int code = bits >> bitCount & (1 << codeSize) - 1;
            if (code == LZW_CLEAR) {
                codeSize = 9;
                next = LZW_END + 1;
                previousStart = -1;
                continue;
            }
            require(code != LZW_END);
            if (previousStart >= 0 && next < LZW_CODES) {
                // The string of the previous code and the byte after it, which this code writes.
                firstByte[next] = previousStart;
                lengths[next] = previousLength + 1;
                next++;
                if (next == (1 << codeSize) - 1 && codeSize < 12) {
                    codeSize++;
                }
            }
            int length = 1;
            if (code < LZW_CLEAR) {
                out[written] = (byte) code;
            } else if (code < next) {
                length = lengths[code];
                int from = firstByte[code];
                for (int i = 0; i < length && written + i < out.length; i++) {
                    out[written + i] = out[from + i];
                }
            } else {
                throw new MalformedImageException("is corrupt");
            }
            previousStart = written;
            previousLength = length;
            written += length;
        }
    }

    /**
     * Decompresses rows of black and white pixels with the reader of the JDK, which is shown a file of nothing else.
     *
     * @param options those of T.4 or T.6, whichever the compression has
     * @param out rows of whole bytes
     */
    static void decompressFax(
            int compression, int options, byte[] strip, int width, int height, byte[] out, Deadline deadline)
            throws IOException {
        int[][] fields = {
            {256, 4, width},
            {257, 4, height},
            {258, 3, 1},
            {259, 3, compression},
            {262, 3, 1},
            {273, 4, 8},
            {277, 3, 1},
            {278, 4, height},
            {279, 4, strip.length},
            {compression == GROUP_4 ? 293 : 292, 4, options}
        };
        ByteBuffer file = ByteBuffer.allocate(8 + strip.length + 2 + 12 * fields.length + 4)
                .order(ByteOrder.LITTLE_ENDIAN);
        file.putInt(0x002a4949).putInt(8 + strip.length).put(strip).putShort((short) fields.length);
        for (int[] field : fields) {
            file.putShort((short) field[0]).putShort((short) field[1]).putInt(1).putInt(field[2]);
        }
        Raster raster = ImageReaders.TIFF.read(file.array(), deadline).getRaster();
        byte[] rows = ((DataBufferByte) raster.getDataBuffer()).getData();
        if (rows.length != out.length) {
            throw new IOException("other rows than asked for");
        }
        System.arraycopy(rows, 0, out, 0, out.length);
    }
}
