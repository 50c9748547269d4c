package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class TiffImageTest {

    private static final JsonNode EXPECTED = expected();
    private static final int WIDTH = 256;
    private static final int HEIGHT = 257;
    private static final int BITS = 258;
    private static final int COMPRESSION = 259;
    private static final int PHOTOMETRIC = 262;
    private static final int OFFSETS = 273;
    private static final int SAMPLES = 277;
    private static final int ROWS = 278;
    private static final int LENGTHS = 279;

    private final ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), true, 64 << 20);

    static List<String> names() {
        List<String> names = new ArrayList<>();
        EXPECTED.fieldNames().forEachRemaining(names::add);
        return names;
    }

    @ParameterizedTest
    @MethodSource("names")
    void decode_anyKind_hasThePixelsOfTheReference(String name) throws IOException {
        JsonNode expected = EXPECTED.get(name);

        RgbImage image = decoder.decode(bytes(name), "url");

        assertThat(image.width()).isEqualTo(expected.get("width").asInt());
        assertThat(image.height()).isEqualTo(expected.get("height").asInt());
        assertThat(image.rgb()).isEqualTo(expected.get("rgb").binaryValue());
    }

    @Test
    void decode_withoutOrientation_isAsStored() {
        ImageDecoder plain = new ImageDecoder(ImageLimits.defaults(), false, 64 << 20);

        RgbImage image = plain.decode(bytes("orientation-6"), "url");

        assertThat(image.width()).isEqualTo(12);
        assertThat(image.rgb())
                .isEqualTo(decoder.decode(bytes("mode-RGB"), "url").rgb());
    }

    @ParameterizedTest
    @MethodSource("names")
    void decode_cutInTheMiddle_isRefused(String name) {
        byte[] bytes = bytes(name);

        for (int part = 1; part < 10; part++) {
            byte[] cut = Arrays.copyOf(bytes, Math.max(8, bytes.length / 20 * part));
            assertThatExceptionOfType(GenerationException.class)
                    .isThrownBy(() -> decoder.decode(cut, "url"))
                    .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.INVALID_IMAGE_FORMAT));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "256, 0, INVALID_IMAGE_FORMAT, has no pixels",
        "257, 2000000000, IMAGE_TOO_LARGE, the limit for a side is 32768",
        "259, 34712, INVALID_IMAGE_FORMAT, is compressed in a way that is not supported",
        "259, 7, INVALID_IMAGE_FORMAT, the TIFF picture",
        "259, 4, INVALID_IMAGE_FORMAT, is compressed in a way that its samples cannot be",
        "262, 8, INVALID_IMAGE_FORMAT, has colours of a kind that is not supported",
        "277, 7, INVALID_IMAGE_FORMAT, has an unsupported number of samples per pixel",
        "277, 2, INVALID_IMAGE_FORMAT, has too few samples per pixel",
        "258, 7, INVALID_IMAGE_FORMAT, has samples of a kind that is not supported",
        "258, 64, INVALID_IMAGE_FORMAT, has an unsupported number of bits per sample",
        "273, 100000, INVALID_IMAGE_FORMAT, is truncated",
        "278, 1, INVALID_IMAGE_FORMAT, has too few strips or tiles",
        "317, 3, INVALID_IMAGE_FORMAT, has a predictor that is not supported",
        "262, 6, INVALID_IMAGE_FORMAT, has subsampled colours without JPEG compression"
    })
    void decode_fieldThatCannotBe_isRefusedByName(int tag, long value, ErrorType type, String message) {
        Map<Integer, long[]> fields = fields(2, 2);
        fields.put(tag, new long[] {value});

        assertRefused(tiff(fields, new byte[12]), type, message);
    }

    @Test
    void decode_plainFields_isDecoded() {
        byte[] pixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

        assertThat(decoder.decode(tiff(fields(2, 2), pixels), "url").rgb()).isEqualTo(pixels);
    }

    @Test
    void decode_directoryThatFollowsItself_isReadOnce() {
        byte[] tiff = tiff(fields(2, 2), new byte[12]);
        int directory = ByteBuffer.wrap(tiff).order(ByteOrder.LITTLE_ENDIAN).getInt(4);
        ByteBuffer buffer = ByteBuffer.wrap(tiff).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putInt(directory + 2 + 12 * buffer.getShort(directory), directory);

        assertThat(decoder.decode(tiff, "url").width()).isEqualTo(2);
    }

    @Test
    void decode_directoryBeyondTheFile_isRefused() {
        byte[] tiff = tiff(fields(2, 2), new byte[12]);
        ByteBuffer.wrap(tiff).order(ByteOrder.LITTLE_ENDIAN).putInt(4, -2);

        assertRefused(tiff, ErrorType.INVALID_IMAGE_FORMAT, "the TIFF picture is truncated");
    }

    @Test
    void decode_hugeTilesOfTinyPicture_areRefusedByTheirMemory() {
        Map<Integer, long[]> fields = fields(2, 2);
        fields.remove(OFFSETS);
        fields.put(322, new long[] {60_000});
        fields.put(323, new long[] {60_000});
        fields.put(324, new long[] {8});
        fields.put(325, new long[] {12});

        assertRefused(tiff(fields, new byte[12]), ErrorType.IMAGE_TOO_LARGE, "bytes of memory; the limit is 67108864");
    }

    @Test
    void decode_tileOfOneLongRow_isRefused() {
        Map<Integer, long[]> fields = fields(2, 2);
        fields.remove(OFFSETS);
        fields.put(BITS, new long[] {1});
        fields.put(PHOTOMETRIC, new long[] {1});
        fields.put(SAMPLES, new long[] {1});
        fields.put(322, new long[] {400_000_000});
        fields.put(323, new long[] {1});
        fields.put(324, new long[] {8, 8});

        assertRefused(
                tiff(fields, new byte[12]), ErrorType.INVALID_IMAGE_FORMAT, "has tiles with sides of more than 65536");
    }

    @Test
    void decode_tilesOfOnePixel_areRefusedByTheirNumber() {
        Map<Integer, long[]> fields = fields(1000, 1000);
        fields.remove(OFFSETS);
        fields.put(322, new long[] {1});
        fields.put(323, new long[] {1});
        fields.put(324, new long[] {8});

        assertRefused(
                tiff(fields, new byte[12]), ErrorType.INVALID_IMAGE_FORMAT, "has more than 100000 strips or tiles");
    }

    @Test
    void decode_oneStripForAllRows_isRefusedAsWorkWithoutBytes() {
        int height = 1000;
        byte[] strip = TestPictures.deflate(new byte[3 * 1000]);
        Map<Integer, long[]> fields = fields(1000, height);
        long[] offsets = new long[height];
        long[] lengths = new long[height];
        Arrays.fill(offsets, 8);
        Arrays.fill(lengths, 4000);
        fields.put(OFFSETS, offsets);
        fields.put(LENGTHS, lengths);
        fields.put(ROWS, new long[] {1});
        fields.put(COMPRESSION, new long[] {8});

        assertRefused(
                tiff(fields, Arrays.copyOf(strip, 4000)),
                ErrorType.INVALID_IMAGE_FORMAT,
                "has strips or tiles that lie on each other");
    }

    @Test
    void decode_stripOfEmptyCodes_endsAtTheDeadline() {
        // Only codes that clear the table, which write nothing.
        byte[] clear = new byte[9 * 10_000];
        for (int i = 0; i < 80_000; i++) {
            clear[9 * i / 8] |= (byte) (0x80 >> 9 * i % 8);
        }
        Map<Integer, long[]> fields = fields(2, 2);
        fields.put(COMPRESSION, new long[] {5});
        fields.put(LENGTHS, new long[] {clear.length});
        long[] now = {0};
        ImageDecoder slow =
                new ImageDecoder(ImageLimits.defaults(), true, 64 << 20, Duration.ofNanos(2), () -> now[0]++);

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> slow.decode(tiff(fields, clear), "url"))
                .withMessageContaining("longer than the limit")
                .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.IMAGE_TOO_LARGE));
    }

    private void assertRefused(byte[] bytes, ErrorType type, String message) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> decoder.decode(bytes, "url"))
                .withMessageContaining(message)
                .satisfies(e -> assertThat(e.type()).isEqualTo(type));
    }

    /** The fields of an uncompressed RGB picture. */
    private static Map<Integer, long[]> fields(int width, int height) {
        Map<Integer, long[]> fields = new TreeMap<>();
        fields.put(WIDTH, new long[] {width});
        fields.put(HEIGHT, new long[] {height});
        fields.put(BITS, new long[] {8});
        fields.put(COMPRESSION, new long[] {1});
        fields.put(PHOTOMETRIC, new long[] {2});
        fields.put(OFFSETS, new long[] {8});
        fields.put(SAMPLES, new long[] {3});
        fields.put(ROWS, new long[] {height});
        fields.put(LENGTHS, new long[] {3L * width * height});
        return fields;
    }

    /** A little-endian file of fields of 32-bit values and data that begin at byte 8. */
    private static byte[] tiff(Map<Integer, long[]> fields, byte[] data) {
        int directory = 8 + data.length;
        int far = directory + 2 + 12 * fields.size() + 4;
        ByteArrayOutputStream values = new ByteArrayOutputStream();
        ByteBuffer out = ByteBuffer.allocate(far).order(ByteOrder.LITTLE_ENDIAN);
        out.putInt(0x002a4949).putInt(directory).put(data).putShort((short) fields.size());
        fields.forEach((tag, numbers) -> {
            out.putShort(tag.shortValue()).putShort((short) 4).putInt(numbers.length);
            out.putInt(numbers.length == 1 ? (int) numbers[0] : far + values.size());
            if (numbers.length > 1) {
                ByteBuffer array = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
                Arrays.stream(numbers).forEach(number -> array.putInt((int) number));
                values.writeBytes(array.array());
            }
        });
        byte[] file = Arrays.copyOf(out.array(), far + values.size());
        System.arraycopy(values.toByteArray(), 0, file, far, values.size());
        return file;
    }

    private static byte[] bytes(String name) {
        return resource(name + ".tif");
    }

    private static JsonNode expected() {
        try {
            return new ObjectMapper().readTree(resource("expected.json"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] resource(String name) {
        try (InputStream in = TiffImageTest.class.getResourceAsStream("/tiff/" + name)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
