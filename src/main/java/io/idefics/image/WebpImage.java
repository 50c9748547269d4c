package io.idefics.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A WebP picture (RFC 9649), or the first frame of an animated one drawn on its canvas. */
final class WebpImage implements EncodedImage {

    private static final int RIFF_BYTES = 12;
    private static final int CHUNK_HEADER_BYTES = 8;
    private static final int ALPHA_FLAG = 0x10;
    private static final int FRAME_HEADER_BYTES = 16;
    private static final int MAX_CODE_GROUPS = 65_536;
    private static final int BITS_OF_CODE_GROUP = 20; // at least, in the file
    private static final int BYTES_OF_CODE_GROUP = 6_144; // of tables in memory

    private final byte[] bytes;
    private final ImageHeader header;
    private final @Nullable Chunk frame;
    private final boolean transparentCanvas;
    private final @Nullable Chunk exif;

    /** A chunk by the position of its content. */
    private record Chunk(String type, int start, int length) {

        /** The position of the following chunk; chunks are padded to even length. */
        long end() {
            return (long) start + length + (length & 1);
        }
    }

    /** The size that a bitstream states for itself. */
    private record Size(int width, int height) {}

    private WebpImage(
            byte[] bytes, ImageHeader header, @Nullable Chunk frame, boolean transparentCanvas, @Nullable Chunk exif) {
        this.bytes = bytes;
        this.header = header;
        this.frame = frame;
        this.transparentCanvas = transparentCanvas;
        this.exif = exif;
    }

    static WebpImage parse(byte[] bytes) throws MalformedImageException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        long riffEnd = Integer.toUnsignedLong(buffer.getInt(4)) + 8;
        if (riffEnd > bytes.length) {
            throw new MalformedImageException("is truncated");
        }
        Size canvas = null;
        Size still = null;
        Chunk frame = null;
        Chunk exif = null;
        boolean alpha = false;
        long lossless = 0;
        long position = RIFF_BYTES;
        PartCount chunks = new PartCount("chunks");
        while (position + CHUNK_HEADER_BYTES <= riffEnd) {
            chunks.next();
            Chunk chunk = chunk(buffer, (int) position, riffEnd);
            switch (chunk.type()) {
                case "VP8X" -> {
                    canvas = new Size(u24(buffer, chunk.start() + 4) + 1, u24(buffer, chunk.start() + 7) + 1);
                    alpha = (buffer.get(chunk.start()) & ALPHA_FLAG) != 0;
                }
                case "VP8 ", "VP8L" -> still = still == null ? bitstreamSize(buffer, chunk) : still;
                case "ANMF" -> frame = frame == null ? chunk : frame;
                case "EXIF" -> exif = exif == null ? chunk : exif;
                default -> {
                    // colour profiles, XMP, alpha planes: not used here
                }
            }
            if (chunk.type().equals("VP8L")
                    || chunk.type().equals("ALPH")
                    || chunk.type().equals("ANMF")) {
                lossless = Math.max(lossless, chunk.length());
            }
            position = chunk.end();
        }
        if (frame != null && still == null && canvas != null) {
            checkFrame(buffer, frame, canvas, riffEnd);
        } else if (still == null || (canvas != null && !canvas.equals(still))) {
            throw new MalformedImageException(still == null ? "has no pixels" : "states two different sizes");
        }
        Size size = still != null ? still : canvas;
        if (size == null) {
            throw new MalformedImageException("has no pixels");
        }
        ImageHeader header = new ImageHeader(
                ImageFormat.WEBP, size.width(), size.height(), 1, decodingBytes(size, frame == null, lossless));
        return new WebpImage(bytes, header, still != null ? null : frame, alpha, exif);
    }

    /**
     * Memory for decoding: native code has the pixels once or, of lossless pictures and alpha planes, twice, and for the
     * latter the tables of up to 65536 groups of prefix codes, which take far less in the file; then come the array that
     * Java gets, the result, and the canvas of a frame.
     *
     * @param lossless the bytes of the largest chunk that may have prefix codes
     */
    private static long decodingBytes(Size size, boolean isStill, long lossless) {
        long pixels = (long) size.width() * size.height();
        long groups = Math.min(
                Math.min(MAX_CODE_GROUPS, lossless * Byte.SIZE / BITS_OF_CODE_GROUP),
                (size.width() + 3L) / 4 * ((size.height() + 3L) / 4));
        int bytesPerPixel = 4 + (lossless > 0 ? 5 : 0) + 4 + 3 + (isStill ? 0 : 3);
        return pixels * bytesPerPixel + groups * BYTES_OF_CODE_GROUP;
    }

    private static Chunk chunk(ByteBuffer buffer, int position, long limit) throws MalformedImageException {
        String type = new String(buffer.array(), position, 4, StandardCharsets.ISO_8859_1);
        long length = Integer.toUnsignedLong(buffer.getInt(position + 4));
        if (position + CHUNK_HEADER_BYTES + length > limit) {
            throw new MalformedImageException("is truncated");
        }
        return new Chunk(type, position + CHUNK_HEADER_BYTES, (int) length);
    }

    private static int u24(ByteBuffer buffer, int position) {
        return (buffer.getShort(position) & 0xffff) | (buffer.get(position + 2) & 0xff) << 16;
    }

    private static Size bitstreamSize(ByteBuffer buffer, Chunk chunk) throws MalformedImageException {
        int start = chunk.start();
        Size size;
        if (chunk.type().equals("VP8L")) {
            int bits = chunk.length() < 5 || buffer.get(start) != 0x2f ? -1 : buffer.getInt(start + 1);
            if (bits == -1) {
                throw new MalformedImageException("is corrupt");
            }
            size = new Size((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
        } else {
            if (chunk.length() < 10 || u24(buffer, start + 3) != 0x2a019d) { // the start code
                throw new MalformedImageException("is corrupt");
            }
            size = new Size(buffer.getShort(start + 6) & 0x3fff, buffer.getShort(start + 8) & 0x3fff);
        }
        if (size.width() == 0 || size.height() == 0) {
            throw new MalformedImageException("has no pixels");
        }
        return size;
    }

    private static void checkFrame(ByteBuffer buffer, Chunk frame, Size canvas, long limit)
            throws MalformedImageException {
        if (frame.length() < FRAME_HEADER_BYTES) {
            throw new MalformedImageException("is corrupt");
        }
        int left = 2 * u24(buffer, frame.start());
        int top = 2 * u24(buffer, frame.start() + 3);
        Size stated = new Size(u24(buffer, frame.start() + 6) + 1, u24(buffer, frame.start() + 9) + 1);
        if ((long) left + stated.width() > canvas.width() || (long) top + stated.height() > canvas.height()) {
            throw new MalformedImageException("has a frame outside its canvas");
        }
        long position = frame.start() + FRAME_HEADER_BYTES;
        long end = Math.min(limit, (long) frame.start() + frame.length());
        while (position + CHUNK_HEADER_BYTES <= end) {
            Chunk chunk = chunk(buffer, (int) position, end);
            if (chunk.type().startsWith("VP8")) {
                if (!bitstreamSize(buffer, chunk).equals(stated)) {
                    throw new MalformedImageException("states two different sizes");
                }
                return;
            }
            position = chunk.end();
        }
        throw new MalformedImageException("has no pixels");
    }

    @Override
    public ImageHeader header() {
        return header;
    }

    @Override
    public int orientation() {
        if (exif == null) {
            return ExifOrientation.NORMAL;
        }
        // Some writers keep the prefix that EXIF has in JPEG files.
        boolean prefixed = exif.length() >= 6
                && new String(bytes, exif.start(), 6, StandardCharsets.ISO_8859_1).equals("Exif\0\0");
        int skipped = prefixed ? 6 : 0;
        return ExifOrientation.read(ByteBuffer.wrap(bytes, exif.start() + skipped, exif.length() - skipped)
                .slice());
    }

    @Override
    public RgbImage decode(Deadline deadline) throws IOException {
        if (frame == null) {
            return read(bytes, deadline);
        }
        RgbImage drawn = read(stillOf(frame), deadline);
        byte[] rgb = new byte[Math.toIntExact(3 * header.pixels())];
        if (transparentCanvas) {
            Arrays.fill(rgb, (byte) 255);
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int left = 2 * u24(buffer, frame.start());
        int top = 2 * u24(buffer, frame.start() + 3);
        for (int y = 0; y < drawn.height(); y++) {
            int target = 3 * ((top + y) * header.width() + left);
            System.arraycopy(drawn.rgb(), 3 * drawn.width() * y, rgb, target, 3 * drawn.width());
        }
        return new RgbImage(header.width(), header.height(), rgb);
    }

    private static RgbImage read(byte[] file, Deadline deadline) throws IOException {
        try {
            return Samples.packedToRgb(ImageReaders.WEBP.read(file, deadline).getRaster());
        } catch (OutOfMemoryError e) {
            // Native code reports damaged alpha planes so too; where memory has really run out the error has a message.
            if (e.getMessage() == null) {
                throw new MalformedImageException("cannot be decoded: it is truncated or corrupt");
            }
            throw e;
        }
    }

    /** A frame as a file of its own: RIFF header, VP8X that admits alpha, and the chunks of the frame. */
    private byte[] stillOf(Chunk frame) {
        int content = frame.length() - FRAME_HEADER_BYTES;
        int length = RIFF_BYTES + CHUNK_HEADER_BYTES + 10 + content;
        ByteBuffer out = ByteBuffer.allocate(length + (length & 1)).order(ByteOrder.LITTLE_ENDIAN);
        out.put("RIFF".getBytes(StandardCharsets.ISO_8859_1)).putInt(out.capacity() - 8);
        out.put("WEBPVP8X".getBytes(StandardCharsets.ISO_8859_1)).putInt(10);
        out.putInt(ALPHA_FLAG).put(bytes, frame.start() + 6, 6); // width - 1 and height - 1 are stored alike
        out.put(bytes, frame.start() + FRAME_HEADER_BYTES, content);
        return out.array();
    }
}
