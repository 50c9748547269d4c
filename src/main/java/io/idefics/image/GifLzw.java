package io.idefics.image;

import java.io.IOException;

/**
 * The variable-length-code LZW decompression of GIF89a, appendix F.
 *
 * <p>Data are read from sub-blocks and end as soon as all pixels are there, as in Pillow; data that end before are an
 * error.
 */
final class GifLzw {

    private static final int MAX_CODES = 4096;

    private final byte[] bytes;
    private int position; // of the next byte
    private int blockBytes; // left in the current sub-block
    private int bits;
    private int bitCount;

    private GifLzw(byte[] bytes, int position) {
        this.bytes = bytes;
        this.position = position;
    }

    /**
     * Decompresses the indexes of a frame in the order in which they are stored.
     *
     * @param start the position of the minimum code size
     * @param pixels how many indexes there must be
     */
    static byte[] decode(byte[] bytes, int start, int pixels, Deadline deadline) throws IOException {
        int minimumCodeSize = bytes[start] & 0xff;
        if (minimumCodeSize < 1 || minimumCodeSize > 8) {
            throw new MalformedImageException("is corrupt");
        }
        return new GifLzw(bytes, start + 1).decode(minimumCodeSize, pixels, deadline);
    }

    private byte[] decode(int minimumCodeSize, int pixels, Deadline deadline) throws IOException {
        int clear = 1 << minimumCodeSize;
        int[] prefix = new int[MAX_CODES];
        byte[] suffix = new byte[MAX_CODES];
        byte[] first = new byte[MAX_CODES];
        int[] length = new int[MAX_CODES];
        for (int code = 0; code < clear; code++) {
            suffix[code] = (byte) code;
            first[code] = (byte) code;
            length[code] = 1;
        }
        byte[] out = new byte[pixels];
        int written = 0;
        int codeSize = minimumCodeSize + 1;
        int next = clear + 2;
        int previous = -1;
        int codes = 0;
        while (written < pixels) {
            if ((codes++ & 0xffff) == 0) {
                deadline.check();
            }
            int code = readCode(codeSize);
            if (code == clear) {
                codeSize = minimumCodeSize + 1;
                next = clear + 2;
                previous = -1;
                continue;
            }
            if (code == clear + 1) {
                throw new MalformedImageException("is truncated");
            }
            boolean known = code < clear || (code > clear + 1 && code < next);
            if (!known && (previous < 0 || code != next)) {
                throw new MalformedImageException("is corrupt");
            }
            if (previous >= 0 && next < MAX_CODES) {
                prefix[next] = previous;
                suffix[next] = known ? first[code] : first[previous];
                first[next] = first[previous];
                length[next] = length[previous] + 1;
                next++;
                if (next == 1 << codeSize && codeSize < 12) {
                    codeSize++;
                }
            }
            written = write(code, prefix, suffix, length[code], out, written);
            previous = code;
        }
        return out;
    }

    /** Writes the string of a code, cut at the end of the picture; returns the new end. */
    private static int write(int code, int[] prefix, byte[] suffix, int length, byte[] out, int start) {
        int at = start + length - 1;
        for (int c = code; at >= start; c = prefix[c], at--) {
            if (at < out.length) {
                out[at] = suffix[c];
            }
        }
        return Math.min(out.length, start + length);
    }

    private int readCode(int codeSize) throws MalformedImageException {
        while (bitCount < codeSize) {
            if (blockBytes == 0) {
                blockBytes = position < bytes.length ? bytes[position++] & 0xff : 0;
                if (blockBytes == 0) {
                    throw new MalformedImageException("is truncated");
                }
            }
            if (position >= bytes.length) {
                throw new MalformedImageException("is truncated");
            }
            bits |= (bytes[position++] & 0xff) << bitCount;
            bitCount += 8;
            blockBytes--;
        }
        int code = bits & ((1 << codeSize) - 1);
        bits >>>= codeSize;
        bitCount -= codeSize;
        return code;
    }
}
