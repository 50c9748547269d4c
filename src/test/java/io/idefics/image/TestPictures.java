package io.idefics.image;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import javax.imageio.ImageIO;

/** Small picture files made to order. */
public final class TestPictures {

    private TestPictures() {}

    /** A PNG chunk with its checksum. */
    static byte[] chunk(String type, byte[] content) {
        byte[] name = type.getBytes(StandardCharsets.ISO_8859_1);
        CRC32 crc = new CRC32();
        crc.update(name);
        crc.update(content);
        return ByteBuffer.allocate(12 + content.length)
                .putInt(content.length)
                .put(name)
                .put(content)
                .putInt((int) crc.getValue())
                .array();
    }

    /** A PNG file of rows that begin with their filter byte, with further chunks before the pixels. */
    public static byte[] png(int width, int height, int depth, int colorType, byte[] rows, byte[]... chunks) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
        ByteBuffer header = ByteBuffer.allocate(13).putInt(width).putInt(height);
        header.put((byte) depth).put((byte) colorType);
        out.writeBytes(chunk("IHDR", header.array()));
        for (byte[] chunk : chunks) {
            out.writeBytes(chunk);
        }
        out.writeBytes(chunk("IDAT", deflate(rows)));
        out.writeBytes(chunk("IEND", new byte[0]));
        return out.toByteArray();
    }

    static byte[] deflate(byte[] bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (DeflaterOutputStream deflater = new DeflaterOutputStream(out)) {
            deflater.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** A file written by the JDK's writer of a format. */
    public static byte[] written(BufferedImage image, String format) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            if (!ImageIO.write(image, format, out)) {
                throw new IllegalArgumentException("no writer for " + format);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** A TIFF structure with an EXIF orientation. */
    static byte[] exif(int orientation, ByteOrder order) {
        ByteBuffer tiff = ByteBuffer.allocate(26).order(order);
        tiff.put((order == ByteOrder.BIG_ENDIAN ? "MM" : "II").getBytes(StandardCharsets.ISO_8859_1));
        tiff.putShort((short) 42).putInt(8).putShort((short) 1);
        tiff.putShort((short) 0x0112).putShort((short) 3).putInt(1).putShort((short) orientation);
        return tiff.array();
    }

    /** A JPEG file with an EXIF segment put in after its first marker. */
    static byte[] withExif(byte[] jpeg, byte[] tiff) {
        ByteBuffer out = ByteBuffer.allocate(jpeg.length + 10 + tiff.length);
        out.put(jpeg, 0, 2).putShort((short) 0xffe1).putShort((short) (8 + tiff.length));
        out.put("Exif\0\0".getBytes(StandardCharsets.ISO_8859_1)).put(tiff);
        return out.put(jpeg, 2, jpeg.length - 2).array();
    }

    /** A RIFF chunk, padded. */
    static byte[] riffChunk(String type, byte[] content) {
        ByteBuffer out =
                ByteBuffer.allocate(8 + content.length + (content.length & 1)).order(ByteOrder.LITTLE_ENDIAN);
        out.put(type.getBytes(StandardCharsets.ISO_8859_1))
                .putInt(content.length)
                .put(content);
        return out.array();
    }

    /** A WebP file of chunks. */
    static byte[] webp(byte[]... chunks) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        body.writeBytes("WEBP".getBytes(StandardCharsets.ISO_8859_1));
        for (byte[] chunk : chunks) {
            body.writeBytes(chunk);
        }
        return riffChunk("RIFF", body.toByteArray());
    }

    /** The content of a VP8X chunk: flags and the size of the canvas. */
    static byte[] vp8x(int flags, int width, int height) {
        ByteBuffer out = ByteBuffer.allocate(11).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(0, flags).putInt(4, width - 1).putInt(7, height - 1); // sizes have 3 bytes
        return Arrays.copyOf(out.array(), 10);
    }

    /**
     * A GIF file with a palette of black, red, green and white, and one frame.
     *
     * @param transparent index of the transparent colour, or negative
     */
    static byte[] gif(
            int screenWidth,
            int screenHeight,
            int left,
            int top,
            int width,
            int height,
            boolean interlaced,
            int transparent,
            int... indexes) {
        ByteBuffer out = ByteBuffer.allocate(1024).order(ByteOrder.LITTLE_ENDIAN);
        out.put("GIF89a".getBytes(StandardCharsets.ISO_8859_1));
        out.putShort((short) screenWidth)
                .putShort((short) screenHeight)
                .put((byte) 0x81)
                .putShort((short) 0);
        out.put(new byte[] {0, 0, 0, -1, 0, 0, 0, -1, 0, -1, -1, -1});
        if (transparent >= 0) {
            out.put(new byte[] {0x21, (byte) 0xf9, 4, 1, 0, 0, (byte) transparent, 0});
        }
        out.put((byte) 0x2c).putShort((short) left).putShort((short) top);
        out.putShort((short) width).putShort((short) height).put((byte) (interlaced ? 0x40 : 0));
        // 3-bit codes; a clear code before each pixel keeps them at 3 bits.
        ByteArrayOutputStream codes = new ByteArrayOutputStream();
        int bits = 0;
        int count = 0;
        for (int i = 0; i <= indexes.length; i++) {
            int pair = i == indexes.length ? 5 : 4 | indexes[i] << 3;
            bits |= pair << count;
            count += i == indexes.length ? 3 : 6;
            while (count >= 8) {
                codes.write(bits);
                bits >>= 8;
                count -= 8;
            }
        }
        codes.write(bits);
        out.put((byte) 2)
                .put((byte) codes.size())
                .put(codes.toByteArray())
                .put((byte) 0)
                .put((byte) 0x3b);
        return Arrays.copyOf(out.array(), out.position());
    }
}
