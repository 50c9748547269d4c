package io.idefics.image;

import java.awt.image.Raster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A JPEG picture (ITU-T T.81).
 *
 * <p>The reader behind it is shown the segments needed for decoding only, so that colour profiles, thumbnails and
 * EXIF fields cannot disturb it, and yields bare components; they are converted here with libjpeg's arithmetic.
 */
final class JpegImage implements EncodedImage {

    private static final int SOI = 0xd8;
    private static final int EOI = 0xd9;
    private static final int SOS = 0xda;
    private static final int DNL = 0xdc;
    private static final int APP0 = 0xe0;
    private static final int APP1 = 0xe1;
    private static final int APP14 = 0xee;
    private static final int COM = 0xfe;

    /** The colour spaces of the components as libjpeg guesses them. */
    private enum ColorSpace {
        GRAY,
        RGB,
        YCBCR,
        CMYK,
        YCCK
    }

    private final ImageHeader header;
    private final ColorSpace colorSpace;
    private final boolean adobe;
    private final boolean ended;
    private final boolean progressive;
    private final byte[] essentials;
    private final @Nullable ByteBuffer exif;

    private JpegImage(Walk walk) {
        this.header = walk.header();
        this.colorSpace = walk.colorSpace();
        this.adobe = walk.adobeTransform >= 0;
        this.ended = walk.ended;
        this.progressive = walk.progressive;
        this.essentials = walk.essentials.toByteArray();
        this.exif = walk.exif;
    }

    static JpegImage parse(byte[] bytes) throws MalformedImageException {
        Walk walk = new Walk(bytes);
        walk.run();
        return new JpegImage(walk);
    }

    /** One pass over the segments of a JPEG file, which collects what decoding needs. */
    private static final class Walk {

        private final byte[] bytes;
        private final ByteBuffer buffer;
        private final ByteArrayOutputStream essentials;
        private int frame = -1; // position of the content of the SOF segment
        private int scans;
        private boolean jfif;
        private int adobeTransform = -1;
        private boolean progressive;
        private boolean ended;
        private @Nullable ByteBuffer exif;

        Walk(byte[] bytes) {
            this.bytes = bytes;
            this.buffer = ByteBuffer.wrap(bytes);
            this.essentials = new ByteArrayOutputStream(bytes.length + 2);
        }

        void run() throws MalformedImageException {
            essentials.write(0xff);
            essentials.write(SOI);
            int position = 2;
            PartCount segments = new PartCount("segments");
            while (!ended && (position = nextMarker(position)) >= 0) {
                segments.next();
                position = segment(position);
            }
            if (frame < 0 || scans == 0) {
                throw new MalformedImageException(ended ? "has no pixels" : "is truncated");
            }
            essentials.write(0xff);
            essentials.write(EOI);
        }

        /** The position of the next marker code, after any bytes that do not belong there; negative at the end. */
        private int nextMarker(int position) {
            int i = position;
            while (i < bytes.length - 1) {
                if (bytes[i] == (byte) 0xff && bytes[i + 1] != 0 && bytes[i + 1] != (byte) 0xff) {
                    return i + 1;
                }
                i++;
            }
            return -1;
        }

        /** Takes in the segment whose marker code is at a position; returns where to go on. */
        private int segment(int position) throws MalformedImageException {
            int marker = bytes[position] & 0xff;
            if (marker == EOI) {
                ended = true;
                return position + 1;
            }
            if (marker == SOI || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
                return position + 1;
            }
            int start = position + 3;
            int length = start <= bytes.length ? buffer.getShort(position + 1) & 0xffff : 2;
            int end = position + 1 + length;
            if (length < 2) {
                throw new MalformedImageException("is corrupt");
            }
            if (end > bytes.length) {
                return bytes.length;
            }
            if (marker >= APP0 && marker <= 0xef) {
                application(marker, start, end);
                return end;
            }
            if (marker == COM || marker == DNL) {
                return end; // a height after the pixels matters only if the frame states none, which is refused
            }
            if (isStartOfFrame(marker)) {
                frame(marker, start, end);
            }
            if (marker == SOS) {
                if (frame < 0) {
                    throw new MalformedImageException("has pixels before its size");
                }
                scans++;
                end = endOfScan(end);
            }
            essentials.write(bytes, position - 1, end - position + 1);
            return end;
        }

        private static boolean isStartOfFrame(int marker) {
            return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
        }

        private void frame(int marker, int start, int end) throws MalformedImageException {
            if (frame >= 0) {
                throw new MalformedImageException("has two frames");
            }
            if (marker > 0xc2) {
                throw new MalformedImageException(
                        "is lossless, hierarchical or arithmetic-coded, which is not supported");
            }
            if (end - start < 6 || buffer.get(start) != 8) {
                throw new MalformedImageException("does not have 8 bits per sample");
            }
            int components = buffer.get(start + 5) & 0xff;
            if ((components != 1 && components != 3 && components != 4) || end - start != 6 + 3 * components) {
                throw new MalformedImageException("does not have 1, 3 or 4 components");
            }
            if (buffer.getShort(start + 1) == 0 || buffer.getShort(start + 3) == 0) {
                throw new MalformedImageException("has no pixels");
            }
            for (int i = 0; i < components; i++) {
                int sampling = buffer.get(start + 7 + 3 * i) & 0xff;
                if (sampling >> 4 < 1 || sampling >> 4 > 4 || (sampling & 15) < 1 || (sampling & 15) > 4) {
                    throw new MalformedImageException("has invalid sampling factors");
                }
            }
            progressive = marker == 0xc2;
            frame = start;
            writeColorMarker();
        }

        private void application(int marker, int start, int end) {
            if (frame >= 0) {
                return;
            }
            if (marker == APP0 && startsWith(start, end, "JFIF\0")) {
                jfif = true;
            } else if (marker == APP14 && startsWith(start, end, "Adobe") && end - start >= 12) {
                adobeTransform = bytes[start + 11] & 0xff;
            } else if (marker == APP1 && startsWith(start, end, "Exif\0\0") && exif == null) {
                exif = ByteBuffer.wrap(bytes, start + 6, end - start - 6).slice();
            }
        }

        private boolean startsWith(int start, int end, String prefix) {
            return end - start >= prefix.length()
                    && new String(bytes, start, prefix.length(), StandardCharsets.ISO_8859_1).equals(prefix);
        }

        /** The position after entropy-coded data: that of the next marker other than a restart, or the end. */
        private int endOfScan(int position) {
            int i = position;
            while (i < bytes.length - 1) {
                if (bytes[i] == (byte) 0xff) {
                    int next = bytes[i + 1] & 0xff;
                    if (next != 0 && next != 0xff && (next < 0xd0 || next > 0xd7)) {
                        return i;
                    }
                }
                i++;
            }
            return bytes.length;
        }

        private ColorSpace colorSpace() {
            int components = bytes[frame + 5];
            if (components == 1) {
                return ColorSpace.GRAY;
            }
            if (components == 4) {
                return adobeTransform > 0 ? ColorSpace.YCCK : ColorSpace.CMYK;
            }
            if (jfif) {
                return ColorSpace.YCBCR;
            }
            if (adobeTransform >= 0) {
                return adobeTransform == 0 ? ColorSpace.RGB : ColorSpace.YCBCR;
            }
            boolean named = bytes[frame + 6] == 'R' && bytes[frame + 9] == 'G' && bytes[frame + 12] == 'B';
            return named ? ColorSpace.RGB : ColorSpace.YCBCR;
        }

        /** Tells the reader the colour space, which it would otherwise guess by rules of its own. */
        private void writeColorMarker() {
            switch (colorSpace()) {
                case GRAY, YCBCR ->
                    essentials.writeBytes(new byte[] {
                        (byte) 0xff, (byte) APP0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0
                    });
                case RGB, CMYK -> writeAdobe(0);
                case YCCK -> writeAdobe(2);
            }
        }

        private void writeAdobe(int transform) {
            essentials.writeBytes(new byte[] {
                (byte) 0xff, (byte) APP14, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, (byte) transform
            });
        }

        ImageHeader header() {
            int height = buffer.getShort(frame + 1) & 0xffff;
            int width = buffer.getShort(frame + 3) & 0xffff;
            int components = bytes[frame + 5];
            long bytesOfPixels = (components + 3L) * width * height;
            // Where there are many scans, the reader keeps all coefficients, of 2 bytes each, of blocks of 8 x 8.
            long coefficients = scans == 1 ? 0 : 2L * components * padded(width) * padded(height);
            return new ImageHeader(ImageFormat.JPEG, width, height, scans, bytesOfPixels + coefficients);
        }

        /** A side with the blocks of the largest sampling factor that it may have. */
        private static long padded(int side) {
            return (side + 31) / 32 * 32L;
        }
    }

    @Override
    public ImageHeader header() {
        return header;
    }

    @Override
    public int orientation() {
        return ExifOrientation.read(exif);
    }

    @Override
    public RgbImage decode(Deadline deadline) throws IOException {
        Raster raster = components(deadline);
        int width = raster.getWidth();
        int bands = raster.getNumBands();
        byte[] rgb = new byte[3 * width * raster.getHeight()];
        int[] row = new int[bands * width];
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getPixels(0, y, width, 1, row);
            convert(row, rgb, 3 * width * y);
        }
        return new RgbImage(width, raster.getHeight(), rgb);
    }

    /** The components as they are stored, of 8 bits each. */
    Raster components(Deadline deadline) throws IOException {
        // Without its end marker a picture is whole only if nothing was missing: later scans would be.
        if (!ended && progressive) {
            throw new MalformedImageException("is truncated");
        }
        AtomicBoolean damaged = new AtomicBoolean();
        Raster raster = ImageReaders.JPEG.readRaster(essentials, deadline, (reader, warning) -> damaged.set(true));
        if (!ended && damaged.get()) {
            throw new MalformedImageException("is truncated");
        }
        return raster;
    }

    private void convert(int[] row, byte[] rgb, int start) {
        int out = start;
        switch (colorSpace) {
            case GRAY -> {
                for (int gray : row) {
                    rgb[out++] = (byte) gray;
                    rgb[out++] = (byte) gray;
                    rgb[out++] = (byte) gray;
                }
            }
            case RGB -> {
                for (int sample : row) {
                    rgb[out++] = (byte) sample;
                }
            }
            case YCBCR -> {
                for (int i = 0; i < row.length; i += 3) {
                    rgb[out++] = (byte) YcbcrConversion.red(row[i], row[i + 2]);
                    rgb[out++] = (byte) YcbcrConversion.green(row[i], row[i + 1], row[i + 2]);
                    rgb[out++] = (byte) YcbcrConversion.blue(row[i], row[i + 1]);
                }
            }
            case CMYK -> {
                for (int i = 0; i < row.length; i += 4) {
                    out = writeCmyk(row[i], row[i + 1], row[i + 2], row[i + 3], rgb, out);
                }
            }
            case YCCK -> {
                for (int i = 0; i < row.length; i += 4) {
                    int cyan = 255 - YcbcrConversion.red(row[i], row[i + 2]);
                    int magenta = 255 - YcbcrConversion.green(row[i], row[i + 1], row[i + 2]);
                    int yellow = 255 - YcbcrConversion.blue(row[i], row[i + 1]);
                    out = writeCmyk(cyan, magenta, yellow, row[i + 3], rgb, out);
                }
            }
        }
    }

    /** Writes inks as RGB; Adobe's files hold them inverted. */
    private int writeCmyk(int cyan, int magenta, int yellow, int black, byte[] rgb, int out) {
        int flip = adobe ? 255 : 0;
        CmykConversion.write(cyan ^ flip, magenta ^ flip, yellow ^ flip, black ^ flip, rgb, out);
        return out + 3;
    }
}
