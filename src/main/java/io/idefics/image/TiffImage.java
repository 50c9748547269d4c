package io.idefics.image;

import java.awt.image.Raster;
import java.io.IOException;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The first page of a TIFF or BigTIFF picture (TIFF 6.0): strips or tiles, chunky or planar, of the colour modes and most
 * of the compressions that Pillow reads.
 *
 * <p>Its directory is walked here and strips are unpacked here, but for JPEG and facsimile compression, whose readers are
 * shown one strip at a time as a file of its own.
 */
final class TiffImage implements EncodedImage {

    private static final int WIDTH = 256;
    private static final int HEIGHT = 257;
    private static final int BITS_PER_SAMPLE = 258;
    private static final int COMPRESSION = 259;
    private static final int FILL_ORDER = 266;
    private static final int STRIP_OFFSETS = 273;
    private static final int ORIENTATION = 274;
    private static final int SAMPLES_PER_PIXEL = 277;
    private static final int ROWS_PER_STRIP = 278;
    private static final int STRIP_BYTE_COUNTS = 279;
    private static final int PLANAR_CONFIGURATION = 284;
    private static final int T4_OPTIONS = 292;
    private static final int T6_OPTIONS = 293;
    private static final int PREDICTOR = 317;
    private static final int TILE_WIDTH = 322;
    private static final int TILE_LENGTH = 323;
    private static final int TILE_OFFSETS = 324;
    private static final int TILE_BYTE_COUNTS = 325;
    private static final int JPEG_TABLES = 347;

    private static final int MAX_SAMPLES = 6; // as in Pillow
    private static final int MAX_TILE_SIDE = 65_536;
    private static final int MOST_CHUNK_BYTES = Integer.MAX_VALUE - 16;

    private final byte[] bytes;
    private final TiffDirectory directory;
    private final ImageHeader header;
    private final TiffColors colors;
    private final int compression;
    private final boolean isTiled;
    private final int chunkWidth; // of a strip or tile
    private final int chunkHeight;
    private final int across; // how many strips or tiles there are
    private final int down;
    private final int planes;
    private final int samples; // of each plane
    private final int bits; // of a sample
    private final long rowBytes; // of a plane of a strip or tile

    private TiffImage(byte[] bytes) throws MalformedImageException {
        this.bytes = bytes;
        this.directory = new TiffDirectory(bytes);
        int width = side(WIDTH, -1);
        int height = side(HEIGHT, -1);
        this.compression = (int) directory.number(COMPRESSION, TiffCompression.NONE);
        if (!TiffCompression.isSupported(compression)) {
            throw new MalformedImageException("is compressed in a way that is not supported");
        }
        int samplesPerPixel = (int) directory.number(SAMPLES_PER_PIXEL, 1);
        if (samplesPerPixel < 1 || samplesPerPixel > MAX_SAMPLES) {
            throw new MalformedImageException("has an unsupported number of samples per pixel");
        }
        this.bits = bitsPerSample(samplesPerPixel);
        this.colors = TiffColors.of(directory, samplesPerPixel, bits);
        this.planes = directory.number(PLANAR_CONFIGURATION, 1) == 2 ? samplesPerPixel : 1;
        this.samples = samplesPerPixel / planes;
        this.isTiled = directory.has(TILE_OFFSETS) && !directory.has(STRIP_OFFSETS);
        this.chunkWidth = isTiled ? side(TILE_WIDTH, -1) : width;
        this.chunkHeight = isTiled ? side(TILE_LENGTH, -1) : Math.min(height, side(ROWS_PER_STRIP, height));
        if (isTiled && Math.max(chunkWidth, chunkHeight) > MAX_TILE_SIDE) {
            throw new MalformedImageException("has tiles with sides of more than " + MAX_TILE_SIDE);
        }
        this.across = (width - 1) / chunkWidth + 1;
        this.down = (height - 1) / chunkHeight + 1;
        this.rowBytes = ((long) chunkWidth * samples * bits + 7) / 8;
        long chunkBytes = rowBytes <= MOST_CHUNK_BYTES / chunkHeight ? rowBytes * chunkHeight : Long.MAX_VALUE / 64;
        // The strips of all planes, a copy of what is in the file, and in case of JPEG its components once more.
        this.header = new ImageHeader(
                ImageFormat.TIFF, width, height, 1, 2 * planes * chunkBytes + 3L * width * height + bytes.length);
        checkCompression();
    }

    static TiffImage parse(byte[] bytes) throws MalformedImageException {
        return new TiffImage(bytes);
    }

    private int side(int tag, int otherwise) throws MalformedImageException {
        long side = directory.number(tag, otherwise);
        if (tag == ROWS_PER_STRIP && side > Integer.MAX_VALUE) {
            return otherwise; // 2^32 - 1 means all
        }
        if (side < 1 || side > Integer.MAX_VALUE) {
            throw new MalformedImageException("has no pixels");
        }
        return (int) side;
    }

    private int bitsPerSample(int samplesPerPixel) throws MalformedImageException {
        long first = directory.number(BITS_PER_SAMPLE, 1);
        long given = Math.min(samplesPerPixel, Math.max(1, directory.count(BITS_PER_SAMPLE)));
        boolean areAlike = given == 1 || given == samplesPerPixel;
        for (long i = 1; areAlike && i < given; i++) {
            areAlike = directory.number(BITS_PER_SAMPLE, 1, i) == first;
        }
        if (!areAlike || first < 1 || first > 32) {
            throw new MalformedImageException("has an unsupported number of bits per sample");
        }
        return (int) first;
    }

    private void checkCompression() throws MalformedImageException {
        long predictor = directory.number(PREDICTOR, 1);
        if (predictor != 1 && (predictor != 2 || (bits != 8 && bits != 16 && bits != 32))) {
            throw new MalformedImageException("has a predictor that is not supported");
        }
        boolean isFax = TiffCompression.isFax(compression);
        if ((isFax && (bits != 1 || samples != 1)) || (compression == TiffCompression.JPEG && bits != 8)) {
            throw new MalformedImageException("is compressed in a way that its samples cannot be");
        }
        if (colors.isSubsampled() && compression != TiffCompression.JPEG) {
            throw new MalformedImageException(
                    "has subsampled colours without JPEG compression, which is not supported");
        }
    }

    /** Where the strips or tiles are, which may not lie on each other: one of them could be unpacked many times. */
    private int[][] chunks() throws MalformedImageException {
        long count = (long) across * down * planes;
        if (count > PartCount.LIMIT) {
            throw new MalformedImageException("has more than " + PartCount.LIMIT + " strips or tiles");
        }
        int offsetTag = isTiled ? TILE_OFFSETS : STRIP_OFFSETS;
        int lengthTag = isTiled ? TILE_BYTE_COUNTS : STRIP_BYTE_COUNTS;
        if (directory.count(offsetTag) < count) {
            throw new MalformedImageException("has too few strips or tiles");
        }
        int[][] chunks = new int[(int) count][];
        long sum = 0;
        for (int i = 0; i < count; i++) {
            long offset = directory.number(offsetTag, 0, i);
            long rest = bytes.length - offset;
            if (offset < 0 || rest <= 0) {
                throw new MalformedImageException("is truncated");
            }
            long length = compression == TiffCompression.NONE
                    ? rowBytes * (isTiled ? chunkHeight : rows(i))
                    : directory.number(lengthTag, rest, i);
            chunks[i] = new int[] {(int) offset, (int) Math.min(rest, Math.max(0, length))};
            sum += chunks[i][1];
        }
        if (sum > bytes.length) {
            throw new MalformedImageException("has strips or tiles that lie on each other");
        }
        return chunks;
    }

    /** The rows of the picture in a strip or tile. */
    private int rows(int chunk) {
        int first = chunk % (across * down) / across * chunkHeight;
        return Math.min(chunkHeight, header.height() - first);
    }

    @Override
    public ImageHeader header() {
        return header;
    }

    @Override
    public int orientation() {
        try {
            long orientation = directory.number(ORIENTATION, ExifOrientation.NORMAL);
            return orientation >= 1 && orientation <= 8 ? (int) orientation : ExifOrientation.NORMAL;
        } catch (MalformedImageException e) {
            return ExifOrientation.NORMAL;
        }
    }

    @Override
    public RgbImage decode(Deadline deadline) throws IOException {
        int[][] chunks = chunks();
        int width = header.width();
        byte[] rgb = new byte[Math.toIntExact(3 * header.pixels())];
        int[] row = new int[Math.min(chunkWidth, width) * samples * planes];
        byte[][] unpacked = new byte[planes][];
        for (int chunk = 0; chunk < across * down; chunk++) {
            deadline.check();
            int rows = rows(chunk);
            for (int plane = 0; plane < planes; plane++) {
                int[] place = chunks[chunk + plane * across * down];
                unpacked[plane] = unpack(place[0], place[1], isTiled ? chunkHeight : rows, deadline);
            }
            int left = chunk % across * chunkWidth;
            int top = chunk / across * chunkHeight;
            int columns = Math.min(chunkWidth, width - left);
            for (int y = 0; y < rows; y++) {
                for (int plane = 0; plane < planes; plane++) {
                    readRow(unpacked[plane], Math.toIntExact(y * rowBytes), columns * samples, row, plane);
                }
                colors.write(row, columns, rgb, 3 * ((top + y) * width + left));
            }
        }
        return new RgbImage(width, header.height(), rgb);
    }

    /** The rows of one strip or tile of a plane, uncompressed. */
    private byte[] unpack(int start, int length, int rows, Deadline deadline) throws IOException {
        if (compression == TiffCompression.JPEG) {
            return unpackJpeg(start, length, rows, deadline);
        }
        byte[] in = bytes;
        int from = start;
        boolean isReversed = directory.number(FILL_ORDER, 1) == 2;
        boolean isFax = TiffCompression.isFax(compression);
        if (isReversed || isFax) {
            in = Arrays.copyOfRange(bytes, start, start + length);
            from = 0;
            for (int i = 0; isReversed && i < in.length; i++) {
                in[i] = (byte) (Integer.reverse(in[i]) >>> 24);
            }
        }
        byte[] out = new byte[Math.toIntExact(rowBytes * rows)];
        if (isFax) {
            int options = (int) directory.number(compression == 3 ? T4_OPTIONS : T6_OPTIONS, 0);
            TiffCompression.decompressFax(compression, options, in, chunkWidth, rows, out, deadline);
        } else {
            TiffCompression.decompress(compression, in, from, length, out, deadline);
            if (TiffCompression.isPredicted(compression) && directory.number(PREDICTOR, 1) == 2) {
                undoPrediction(out, rows);
            }
        }
        return out;
    }

    /** Components of JPEG data whose tables may be kept apart (TIFF Technical Note 2). */
    private byte[] unpackJpeg(int start, int length, int rows, Deadline deadline) throws IOException {
        byte[] tables = directory.bytes(JPEG_TABLES);
        byte[] jpeg = Arrays.copyOfRange(bytes, start, start + length);
        if (tables.length > 4 && jpeg.length > 2) {
            // The end marker of the one and the start marker of the other are left out.
            byte[] whole = Arrays.copyOf(tables, tables.length - 4 + jpeg.length);
            System.arraycopy(jpeg, 2, whole, tables.length - 2, jpeg.length - 2);
            jpeg = whole;
        }
        JpegImage image = JpegImage.parse(jpeg);
        ImageHeader size = image.header();
        if (size.width() != chunkWidth || size.height() < rows || size.height() > chunkHeight) {
            throw new MalformedImageException("states two different sizes");
        }
        if (size.scans() > 1) {
            throw new MalformedImageException("has JPEG strips of more than one scan, which is not supported");
        }
        Raster raster = image.components(deadline);
        if (raster.getNumBands() != samples) {
            throw new MalformedImageException("states two different numbers of components");
        }
        byte[] out = new byte[Math.toIntExact(rowBytes * rows)];
        int[] row = new int[chunkWidth * samples];
        int written = 0;
        for (int y = 0; y < rows; y++) {
            for (int sample : raster.getPixels(0, y, chunkWidth, 1, row)) {
                out[written++] = (byte) sample;
            }
        }
        return out;
    }

    /** Adds to each sample the one to its left (TIFF 6.0, section 14). */
    private void undoPrediction(byte[] out, int rows) {
        int size = bits / 8;
        boolean little = directory.order() == ByteOrder.LITTLE_ENDIAN;
        for (int y = 0; y < rows; y++) {
            int start = Math.toIntExact(y * rowBytes);
            for (int i = start + size * samples; i < start + rowBytes; i += size) {
                int carry = 0;
                for (int k = 0; k < size; k++) {
                    int at = i + (little ? k : size - 1 - k);
                    carry += (out[at] & 0xff) + (out[at - size * samples] & 0xff);
                    out[at] = (byte) carry;
                    carry >>= 8;
                }
            }
        }
    }

    /** Reads samples of a row of one plane to where they belong among those of all planes. */
    private void readRow(byte[] in, int start, int count, int[] row, int plane) {
        boolean little = directory.order() == ByteOrder.LITTLE_ENDIAN;
        int out = plane;
        if (bits == 8) {
            for (int i = 0; i < count; i++, out += planes) {
                row[out] = in[start + i] & 0xff;
            }
        } else if (bits == 16 || bits == 32) {
            int size = bits / 8;
            for (int i = 0; i < count; i++, out += planes) {
                int value = 0;
                for (int k = 0; k < size; k++) {
                    value = value << 8 | in[start + i * size + (little ? size - 1 - k : k)] & 0xff;
                }
                row[out] = value;
            }
        } else {
            int bit = 0;
            for (int i = 0; i < count; i++, out += planes) {
                int value = 0;
                for (int k = 0; k < bits; k++, bit++) {
                    value = value << 1 | in[start + (bit >> 3)] >> (7 - (bit & 7)) & 1;
                }
                row[out] = value;
            }
        }
    }
}
