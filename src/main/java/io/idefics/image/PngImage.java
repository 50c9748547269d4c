package io.idefics.image;

import java.awt.image.Raster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * A PNG picture (W3C, Portable Network Graphics).
 *
 * <p>The reader behind it is shown the critical chunks only and yields bare samples; palette, transparency and
 * depth are interpreted here, the way Pillow does.
 */
final class PngImage implements EncodedImage {

    private static final int SIGNATURE_BYTES = 8;
    private static final int CHUNK_OVERHEAD = 12; // length, type, CRC

    private static final int GRAY = 0;
    private static final int RGB = 2;
    private static final int PALETTE = 3;
    private static final int GRAY_ALPHA = 4;
    private static final int RGBA = 6;

    private final byte[] bytes;
    private final ImageHeader header;
    private final int bitDepth;
    private final int colorType;
    private final List<Chunk> pixelChunks;
    private final @Nullable Chunk palette;
    private final @Nullable Chunk transparency;
    private final @Nullable Chunk exif;

    /** A chunk by the position of its content. */
    private record Chunk(String type, int start, int length) {}

    private PngImage(
            byte[] bytes,
            ImageHeader header,
            List<Chunk> pixelChunks,
            @Nullable Chunk palette,
            @Nullable Chunk transparency,
            @Nullable Chunk exif) {
        this.bytes = bytes;
        this.header = header;
        this.bitDepth = bytes[24];
        this.colorType = bytes[25];
        this.pixelChunks = pixelChunks;
        this.palette = palette;
        this.transparency = transparency;
        this.exif = exif;
    }

    static PngImage parse(byte[] bytes) throws MalformedImageException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        ImageHeader header = parseHeader(buffer);
        List<Chunk> pixelChunks = new ArrayList<>();
        Chunk palette = null;
        Chunk transparency = null;
        Chunk exif = null;
        int position = SIGNATURE_BYTES;
        PartCount chunks = new PartCount("chunks");
        while (position <= bytes.length - CHUNK_OVERHEAD) {
            chunks.next();
            long length = Integer.toUnsignedLong(buffer.getInt(position));
            String type = new String(bytes, position + 4, 4, StandardCharsets.ISO_8859_1);
            if (length > bytes.length - position - CHUNK_OVERHEAD) {
                if (pixelChunks.isEmpty() || type.equals("IDAT")) {
                    throw new MalformedImageException("is truncated");
                }
                break; // the pixels are all there
            }
            Chunk chunk = new Chunk(type, position + 8, (int) length);
            switch (type) {
                case "IHDR" -> checkCrc(buffer, chunk);
                case "IDAT" -> pixelChunks.add(chunk); // the compressed stream has a checksum of its own
                case "PLTE" -> {
                    checkCrc(buffer, chunk);
                    palette = chunk;
                }
                case "tRNS" -> transparency = chunk;
                case "eXIf" -> exif = chunk;
                default -> {
                    // text, colour profiles, gamma, animation frames: not used
                }
            }
            if (type.equals("IEND")) {
                break;
            }
            position += CHUNK_OVERHEAD + (int) length;
        }
        if (pixelChunks.isEmpty()) {
            throw new MalformedImageException("has no pixels");
        }
        if (bytes[25] == PALETTE && (palette == null || palette.length() % 3 != 0 || palette.length() > 768)) {
            throw new MalformedImageException("has no valid palette");
        }
        return new PngImage(bytes, header, pixelChunks, palette, transparency, exif);
    }

    private static ImageHeader parseHeader(ByteBuffer buffer) throws MalformedImageException {
        if (buffer.getInt(8) != 13 || buffer.getInt(12) != 0x49484452) { // "IHDR"
            throw new MalformedImageException("does not begin with an IHDR chunk");
        }
        int width = buffer.getInt(16);
        int height = buffer.getInt(20);
        int depth = buffer.get(24);
        if (width < 1 || height < 1) {
            throw new MalformedImageException("has no pixels");
        }
        int bands =
                switch (buffer.get(25)) {
                    case GRAY -> depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16 ? 1 : 0;
                    case PALETTE -> depth == 1 || depth == 2 || depth == 4 || depth == 8 ? 1 : 0;
                    case GRAY_ALPHA -> depth == 8 || depth == 16 ? 2 : 0;
                    case RGB -> depth == 8 || depth == 16 ? 3 : 0;
                    case RGBA -> depth == 8 || depth == 16 ? 4 : 0;
                    default -> 0;
                };
        if (bands == 0 || buffer.get(26) != 0 || buffer.get(27) != 0 || (buffer.get(28) & 0xff) > 1) {
            throw new MalformedImageException("has an invalid IHDR chunk");
        }
        int rasterBytes = bands * (depth == 16 ? 2 : 1);
        return ImageHeader.of(ImageFormat.PNG, width, height, rasterBytes + 3);
    }

    private static void checkCrc(ByteBuffer buffer, Chunk chunk) throws MalformedImageException {
        CRC32 crc = new CRC32();
        crc.update(buffer.array(), chunk.start() - 4, chunk.length() + 4);
        if ((int) crc.getValue() != buffer.getInt(chunk.start() + chunk.length())) {
            throw new MalformedImageException("is corrupt: the checksum of an " + chunk.type() + " chunk is wrong");
        }
    }

    @Override
    public ImageHeader header() {
        return header;
    }

    @Override
    public int orientation() {
        return ExifOrientation.read(
                exif == null
                        ? null
                        : ByteBuffer.wrap(bytes, exif.start(), exif.length()).slice());
    }

    @Override
    public RgbImage decode(Deadline deadline) throws IOException {
        Raster raster = ImageReaders.PNG.read(criticalChunks(), deadline).getRaster();
        return switch (colorType) {
            case GRAY -> Samples.indexedToRgb(raster, grayLevels());
            case PALETTE -> Samples.indexedToRgb(raster, paletteColors());
            default -> Samples.toRgb(raster, bitDepth == 16 ? 8 : 0);
        };
    }

    /** The colour of each gray sample; 16-bit samples are clipped, as Pillow's mode I;16 is. */
    private int[] grayLevels() {
        int[] colors = new int[1 << bitDepth];
        for (int sample = 0; sample < colors.length; sample++) {
            int gray = bitDepth == 16 ? Math.min(sample, 255) : sample * 255 / (colors.length - 1);
            colors[sample] = gray * 0x010101;
        }
        if (transparency != null && transparency.length() >= 2 && bitDepth <= 8) {
            int sample = ByteBuffer.wrap(bytes).getShort(transparency.start()) & 0xffff;
            if (sample < colors.length) {
                colors[sample] = 0xffffff;
            }
        }
        return colors;
    }

    private int[] paletteColors() throws MalformedImageException {
        if (palette == null) {
            throw new MalformedImageException("has no valid palette");
        }
        int[] colors = new int[palette.length() / 3];
        for (int i = 0; i < colors.length; i++) {
            int entry = palette.start() + 3 * i;
            int alpha =
                    transparency != null && i < transparency.length() ? bytes[transparency.start() + i] & 0xff : 255;
            colors[i] = Samples.overWhite(bytes[entry] & 0xff, bytes[entry + 1] & 0xff, bytes[entry + 2] & 0xff, alpha);
        }
        return colors;
    }

    /** This picture with nothing but header, palette and pixels. */
    private byte[] criticalChunks() throws MalformedImageException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length);
        out.write(bytes, 0, SIGNATURE_BYTES);
        write(out, new Chunk("IHDR", 16, 13));
        if (colorType == PALETTE && palette != null) {
            write(out, palette);
        }
        pixelChunks.forEach(chunk -> write(out, chunk));
        out.writeBytes(new byte[] {0, 0, 0, 0, 'I', 'E', 'N', 'D', (byte) 0xae, 0x42, 0x60, (byte) 0x82});
        return out.toByteArray();
    }

    private void write(ByteArrayOutputStream out, Chunk chunk) {
        out.write(bytes, chunk.start() - 8, chunk.length() + CHUNK_OVERHEAD);
    }
}
