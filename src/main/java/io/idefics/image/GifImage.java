package io.idefics.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The first frame of a GIF picture (GIF89a), drawn on the logical screen.
 *
 * <p>The screen around the frame is transparent if the frame has a transparent colour, otherwise it has the first
 * colour of the palette, as in Pillow.
 */
final class GifImage implements EncodedImage {

    private static final int SCREEN_BYTES = 13; // signature and logical screen descriptor
    private static final int DESCRIPTOR_BYTES = 10;
    private static final int EXTENSION = 0x21;
    private static final int IMAGE = 0x2c;
    private static final int TRAILER = 0x3b;
    private static final int GRAPHIC_CONTROL = 0xf9;
    private static final int TABLE_FLAG = 0x80;
    private static final int INTERLACED_FLAG = 0x40;
    private static final int[] FIRST_ROW = {0, 4, 2, 1}; // of each pass
    private static final int[] ROW_STEP = {8, 8, 4, 2};

    private final byte[] bytes;
    private final ByteBuffer buffer;
    private final int globalTableBytes;
    private int transparentIndex = -1;
    private int descriptor;
    private int localTableBytes;

    private GifImage(byte[] bytes) throws MalformedImageException {
        this.bytes = bytes;
        this.buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        this.globalTableBytes = tableBytes(buffer.get(10));
        findFirstFrame();
        measure();
    }

    static GifImage parse(byte[] bytes) throws MalformedImageException {
        return new GifImage(bytes);
    }

    private static int tableBytes(int flags) {
        return (flags & TABLE_FLAG) == 0 ? 0 : 3 << ((flags & 7) + 1);
    }

    private void findFirstFrame() throws MalformedImageException {
        int position = SCREEN_BYTES + globalTableBytes;
        PartCount extensions = new PartCount("extensions");
        while (true) {
            int introducer = buffer.get(position) & 0xff;
            if (introducer == IMAGE) {
                descriptor = position;
                return;
            }
            if (introducer == EXTENSION) {
                extensions.next();
                if ((buffer.get(position + 1) & 0xff) == GRAPHIC_CONTROL && buffer.get(position + 2) >= 4) {
                    boolean transparent = (buffer.get(position + 3) & 1) != 0;
                    transparentIndex = transparent ? buffer.get(position + 6) & 0xff : -1;
                }
                position = skipSubBlocks(position + 2);
            } else if (introducer == TRAILER) {
                throw new MalformedImageException("has no pixels");
            } else {
                position++; // bytes between blocks mean nothing
            }
        }
    }

    private int skipSubBlocks(int start) {
        int position = start;
        int length;
        while ((length = buffer.get(position) & 0xff) != 0) {
            position += 1 + length;
        }
        return position + 1;
    }

    private void measure() throws MalformedImageException {
        if (screenWidth() == 0 || screenHeight() == 0 || frameWidth() == 0 || frameHeight() == 0) {
            throw new MalformedImageException("has no pixels");
        }
        localTableBytes = tableBytes(buffer.get(descriptor + 9));
    }

    private int screenWidth() {
        return buffer.getShort(6) & 0xffff;
    }

    private int screenHeight() {
        return buffer.getShort(8) & 0xffff;
    }

    private int frameLeft() {
        return buffer.getShort(descriptor + 1) & 0xffff;
    }

    private int frameTop() {
        return buffer.getShort(descriptor + 3) & 0xffff;
    }

    private int frameWidth() {
        return buffer.getShort(descriptor + 5) & 0xffff;
    }

    private int frameHeight() {
        return buffer.getShort(descriptor + 7) & 0xffff;
    }

    /** The logical screen, extended where the frame reaches beyond it. */
    @Override
    public ImageHeader header() {
        int width = Math.max(screenWidth(), frameLeft() + frameWidth());
        int height = Math.max(screenHeight(), frameTop() + frameHeight());
        return ImageHeader.of(ImageFormat.GIF, width, height, 1 + 3);
    }

    @Override
    public int orientation() {
        return ExifOrientation.NORMAL;
    }

    @Override
    public RgbImage decode(Deadline deadline) throws IOException {
        int[] colors = colors();
        ImageHeader size = header();
        byte[] frame = GifLzw.decode(
                bytes,
                descriptor + DESCRIPTOR_BYTES + localTableBytes,
                Math.multiplyExact(frameWidth(), frameHeight()),
                deadline);
        RgbImage screen = new RgbImage(size.width(), size.height(), new byte[Math.toIntExact(3 * size.pixels())]);
        int around = transparentIndex >= 0 ? 0xffffff : colors[0];
        if (around == 0xffffff) {
            Arrays.fill(screen.rgb(), (byte) 255);
        } else if (around != 0) {
            for (int i = 0; i < screen.rgb().length; i += 3) {
                screen.rgb()[i] = (byte) (around >> 16);
                screen.rgb()[i + 1] = (byte) (around >> 8);
                screen.rgb()[i + 2] = (byte) around;
            }
        }
        draw(frame, colors, screen);
        return screen;
    }

    /** 0xRRGGBB of every index, white if transparent; a ramp of grays if the file has no colour table. */
    private int[] colors() {
        int[] colors = new int[256];
        int tableBytes = localTableBytes > 0 ? localTableBytes : globalTableBytes;
        int table = localTableBytes > 0 ? descriptor + DESCRIPTOR_BYTES : SCREEN_BYTES;
        for (int i = 0; i < colors.length; i++) {
            if (tableBytes == 0) {
                colors[i] = i * 0x010101;
            } else if (3 * i < tableBytes) {
                int entry = table + 3 * i;
                colors[i] =
                        Samples.overWhite(bytes[entry] & 0xff, bytes[entry + 1] & 0xff, bytes[entry + 2] & 0xff, 255);
            }
        }
        if (transparentIndex >= 0) {
            colors[transparentIndex] = 0xffffff;
        }
        return colors;
    }

    private void draw(byte[] frame, int[] colors, RgbImage screen) {
        int source = 0;
        for (int y : rowOrder()) {
            int target = 3 * ((frameTop() + y) * screen.width() + frameLeft());
            for (int x = 0; x < frameWidth(); x++) {
                int color = colors[frame[source++] & 0xff];
                screen.rgb()[target++] = (byte) (color >> 16);
                screen.rgb()[target++] = (byte) (color >> 8);
                screen.rgb()[target++] = (byte) color;
            }
        }
    }

    /** The rows of the frame in the order in which they are stored (GIF89a, appendix E). */
    private int[] rowOrder() {
        int height = frameHeight();
        if ((buffer.get(descriptor + 9) & INTERLACED_FLAG) == 0) {
            return IntStream.range(0, height).toArray();
        }
        int[] order = new int[height];
        int count = 0;
        for (int pass = 0; pass < FIRST_ROW.length; pass++) {
            for (int y = FIRST_ROW[pass]; y < height; y += ROW_STEP[pass]) {
                order[count++] = y;
            }
        }
        return order;
    }
}
