package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageDecoderTest {

    private static final String PARAM = "messages[0].content[1].image_url.url";

    private final ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), true, 512 << 20);

    static List<String> pictures() {
        return GoldenImages.names().stream()
                .filter(name -> !name.equals("big.jpg"))
                .toList();
    }

    @Test
    void decode_rgbWithTransparentColour_keepsTheColour() {
        byte[] png = TestPictures.png(
                2, 1, 8, 2, new byte[] {0, 10, 20, 30, 40, 50, 60}, TestPictures.chunk("tRNS", new byte[] {
                    0, 10, 0, 20, 0, 30
                }));

        assertThat(decode(png).rgb()).containsExactly(10, 20, 30, 40, 50, 60);
    }

    @Test
    void decode_grayWithTransparentLevel_isWhiteThere() {
        byte[] png = TestPictures.png(2, 1, 8, 0, new byte[] {0, 7, 8}, TestPictures.chunk("tRNS", new byte[] {0, 7}));

        assertThat(decode(png).rgb()).containsExactly(255, 255, 255, 8, 8, 8);
    }

    @Test
    void decode_grayAndAlphaOf16Bits_usesHighBytesOverWhite() {
        byte[] png = TestPictures.png(3, 1, 16, 4, new byte[] {0, 50, 99, -1, -1, 60, 99, 0, 0, 0, 0, (byte) 128, 0});

        assertThat(decode(png).rgb()).containsExactly(50, 50, 50, 255, 255, 255, 127, 127, 127);
    }

    @Test
    void decode_grayOf16Bits_isClipped() {
        byte[] png = TestPictures.png(3, 1, 16, 0, new byte[] {0, 0, 17, 0, -1, 1, 0});

        assertThat(decode(png).rgb()).containsExactly(17, 17, 17, 255, 255, 255, 255, 255, 255);
    }

    @ParameterizedTest
    @CsvSource({"1, 192, 255, 255, 0", "2, 228, 255, 170, 85", "4, 31, 17, 255, 0"})
    void decode_grayOfFewBits_isStretchedToFullRange(int depth, int row, int first, int second, int third) {
        byte[] png = TestPictures.png(3, 1, depth, 0, new byte[] {0, (byte) row, 0});

        assertThat(decode(png).rgb()).containsExactly(first, first, first, second, second, second, third, third, third);
    }

    @Test
    void decode_paletteIndexWithoutEntry_isBlack() {
        byte[] png =
                TestPictures.png(2, 1, 8, 3, new byte[] {0, 0, 9}, TestPictures.chunk("PLTE", new byte[] {1, 2, 3}));

        assertThat(decode(png).rgb()).containsExactly(1, 2, 3, 0, 0, 0);
    }

    @Test
    void decode_colourProfileAndGamma_areIgnored() {
        byte[] png = TestPictures.png(
                1,
                1,
                8,
                2,
                new byte[] {0, 100, 110, 120},
                TestPictures.chunk("gAMA", new byte[] {0, 0, 39, 16}),
                TestPictures.chunk("iCCP", new byte[] {'x', 0, 0, 1, 2, 3}));

        assertThat(decode(png).rgb()).containsExactly(100, 110, 120);
    }

    @Test
    void decode_frameSmallerThanScreen_isDrawnAtItsPlace() {
        byte[] gif = TestPictures.gif(3, 2, 1, 1, 2, 1, false, -1, 1, 2);

        RgbImage image = decode(gif);

        assertThat(image.width()).isEqualTo(3);
        assertThat(image.height()).isEqualTo(2);
        assertThat(image.rgb()).containsExactly(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 255, 0);
    }

    @Test
    void decode_frameWithTransparentColour_isWhiteThereAndAround() {
        byte[] gif = TestPictures.gif(3, 1, 0, 0, 2, 1, false, 2, 1, 2);

        assertThat(decode(gif).rgb()).containsExactly(255, 0, 0, 255, 255, 255, 255, 255, 255);
    }

    @Test
    void decode_interlacedFrame_hasItsRowsInPlace() {
        byte[] gif = TestPictures.gif(1, 5, 0, 0, 1, 5, true, -1, 0, 1, 2, 3, 1);

        // Stored as rows 0, 4, 2, 1, 3.
        assertThat(decode(gif).rgb()).containsExactly(0, 0, 0, 255, 255, 255, 0, 255, 0, 255, 0, 0, 255, 0, 0);
    }

    @Test
    void decode_frameBeyondScreen_extendsTheScreen() {
        byte[] gif = TestPictures.gif(1, 1, 1, 0, 1, 1, false, -1, 3);

        RgbImage image = decode(gif);

        assertThat(image.width()).isEqualTo(2);
        assertThat(image.rgb()).containsExactly(0, 0, 0, 255, 255, 255);
    }

    @ParameterizedTest
    @ValueSource(
            ints = {
                BufferedImage.TYPE_INT_RGB,
                BufferedImage.TYPE_3BYTE_BGR,
                BufferedImage.TYPE_BYTE_INDEXED,
                BufferedImage.TYPE_BYTE_BINARY,
                BufferedImage.TYPE_USHORT_565_RGB,
                BufferedImage.TYPE_USHORT_555_RGB
            })
    void decode_bitmapOfAnyDepth_hasItsColours(int type) {
        BufferedImage image = new BufferedImage(3, 2, type);
        image.setRGB(0, 0, 0xffffffff);
        image.setRGB(2, 1, 0xffffffff);

        RgbImage decoded = decode(TestPictures.written(image, "bmp"));

        assertThat(decoded.rgb()).containsExactly(255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255);
    }

    @Test
    void decode_firstFrameOfAnimatedWebp_isDrawnOnItsCanvas() {
        byte[] still = GoldenImages.bytes("photo.webp");
        byte[] bitstream = Arrays.copyOfRange(still, 12, still.length);
        ByteBuffer frame = ByteBuffer.allocate(16 + bitstream.length).order(ByteOrder.LITTLE_ENDIAN);
        frame.putInt(0, 1).putInt(3, 2).putInt(6, 134).putInt(9, 172).putInt(12, 100); // at (2, 4), 135 x 173
        frame.position(16).put(bitstream);
        byte[] animated = TestPictures.webp(
                TestPictures.riffChunk("VP8X", TestPictures.vp8x(0x12, 140, 180)),
                TestPictures.riffChunk("ANIM", new byte[6]),
                TestPictures.riffChunk("ANMF", frame.array()));

        RgbImage image = decode(animated);

        RgbImage drawn = decode(still);
        assertThat(image.width()).isEqualTo(140);
        assertThat(image.height()).isEqualTo(180);
        assertThat(Arrays.copyOf(image.rgb(), 3)).containsExactly(255, 255, 255);
        assertThat(Arrays.copyOfRange(image.rgb(), 3 * (4 * 140 + 2), 3 * (4 * 140 + 137)))
                .isEqualTo(Arrays.copyOf(drawn.rgb(), 3 * 135));
        int lastRow = 3 * (176 * 140 + 2);
        assertThat(Arrays.copyOfRange(image.rgb(), lastRow, lastRow + 3 * 135))
                .isEqualTo(Arrays.copyOfRange(drawn.rgb(), 3 * 135 * 172, 3 * 135 * 173));
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1, 300", "300, 1", "3, 3", "3, 224", "224, 3", "2, 5"})
    void decodeAndPreprocess_smallSides_keepTheColour(int width, int height) {
        byte[] rows = new byte[height * (1 + 3 * width)];
        for (int i = 0; i < rows.length; i++) {
            int column = i % (1 + 3 * width);
            rows[i] = (byte) (column == 0 ? 0 : 40 * ((column - 1) % 3 + 1));
        }

        RgbImage image = decode(TestPictures.png(width, height, 8, 2, rows));
        RgbImage resized = BicubicResize.resize(image, 5, 4);

        byte[] expected = new byte[3 * 5 * 4];
        for (int i = 0; i < expected.length; i++) {
            expected[i] = (byte) (40 * (i % 3 + 1));
        }
        assertThat(resized.rgb()).isEqualTo(expected);
    }

    @Test
    void decode_hugeHeader_isRefusedByItsPixels() {
        byte[] png = TestPictures.png(30_000, 30_000, 8, 2, new byte[0]);

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> decode(png))
                .withMessage("the picture has 30000 x 30000 = 900000000 pixels; the limit is 50000000")
                .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.IMAGE_TOO_LARGE))
                .satisfies(e -> assertThat(e.param()).isEqualTo(PARAM));
    }

    @ParameterizedTest
    @CsvSource({"50000, 50000", "2147483647, 2147483647", "65536, 65536", "1, 100000000"})
    void decode_longSide_isRefused(int width, int height) {
        byte[] png = TestPictures.png(width, height, 8, 2, new byte[0]);

        assertRefused(png, ErrorType.IMAGE_TOO_LARGE, "the limit for a side is 32768");
    }

    @Test
    void decode_hugeScreenWithTinyFrame_isRefused() {
        byte[] gif = TestPictures.gif(30_000, 30_000, 0, 0, 1, 1, false, -1, 1);

        assertRefused(gif, ErrorType.IMAGE_TOO_LARGE, "900000000 pixels");
    }

    @Test
    void decode_jpegThatClaimsHugeSize_isRefused() {
        byte[] jpeg = GoldenImages.bytes("photo_444.jpg");
        int frame = indexOf(jpeg, new byte[] {(byte) 0xff, (byte) 0xc0});
        ByteBuffer.wrap(jpeg).putShort(frame + 5, (short) 30_000).putShort(frame + 7, (short) 30_000);

        assertRefused(jpeg, ErrorType.IMAGE_TOO_LARGE, "900000000 pixels");
    }

    @Test
    void decode_webpThatClaimsHugeCanvas_isRefused() {
        byte[] bitstream = {0x2f, -1, -1, -1, 15, 0}; // 16384 x 16384
        byte[] webp = TestPictures.webp(TestPictures.riffChunk("VP8L", bitstream));

        assertRefused(webp, ErrorType.IMAGE_TOO_LARGE, "16384 x 16384 = 268435456 pixels");
    }

    @Test
    void decode_bitmapThatClaimsHugeSize_isRefused() {
        byte[] bmp = TestPictures.written(new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB), "bmp");
        ByteBuffer.wrap(bmp).order(ByteOrder.LITTLE_ENDIAN).putInt(18, 30_000).putInt(22, -30_000);

        assertRefused(bmp, ErrorType.INVALID_IMAGE_FORMAT, "the BMP picture is truncated");
    }

    @Test
    void decode_jpegWithManyScans_isRefused() {
        byte[] jpeg = GoldenImages.bytes("photo_progressive.jpg");
        int scan = indexOf(jpeg, new byte[] {(byte) 0xff, (byte) 0xda});
        byte[] scans = new byte[scan + 200 * 4 + jpeg.length - scan];
        System.arraycopy(jpeg, 0, scans, 0, scan);
        for (int i = 0; i < 200; i++) {
            ByteBuffer.wrap(scans).putInt(scan + 4 * i, 0xffda0002);
        }
        System.arraycopy(jpeg, scan, scans, scan + 800, jpeg.length - scan);

        assertRefused(scans, ErrorType.IMAGE_TOO_LARGE, "scans; the limit is 100");
    }

    @Test
    void decode_moreScansThanTheSizeAllows_isRefused() {
        ImageDecoder strict = new ImageDecoder(new ImageLimits(50_000_000, 32_768, 100, 100_000), true, 512 << 20);

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> strict.decode(GoldenImages.bytes("photo_progressive.jpg"), PARAM))
                .withMessageContaining("scans of 37380 pixels; the limit is 100000 scanned pixels");
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void decode_pictureCutInTheMiddle_isRefused(String name) {
        byte[] bytes = GoldenImages.bytes(name);

        // The first frame of the animated picture ends before its middle.
        double[] parts = name.equals("anim.gif") ? new double[] {0.1, 0.2} : new double[] {0.3, 0.6, 0.8};
        for (double part : parts) {
            byte[] cut = Arrays.copyOf(bytes, Math.max(12, (int) (part * bytes.length)));
            assertThatExceptionOfType(GenerationException.class)
                    .isThrownBy(() -> decode(cut))
                    .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.INVALID_IMAGE_FORMAT));
        }
    }

    @Test
    void decode_jpegWithoutItsEndMarkerOnly_isDecoded() {
        byte[] jpeg = GoldenImages.bytes("photo_444.jpg");

        RgbImage image = decode(Arrays.copyOf(jpeg, jpeg.length - 2));

        assertThat(image.rgb()).isEqualTo(decode(jpeg).rgb());
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void decode_corruptPicture_decodesOrIsRefused(String name) {
        byte[] bytes = GoldenImages.bytes(name);
        Random random = new Random(name.hashCode());

        int refused = 0;
        for (int round = 0; round < 30; round++) {
            byte[] corrupt = bytes.clone();
            for (int i = 0; i < 1 + round % 5; i++) {
                int range = round % 2 == 0 ? Math.min(200, corrupt.length) : corrupt.length;
                corrupt[random.nextInt(range)] = (byte) random.nextInt();
            }
            try {
                RgbImage image = decode(corrupt);
                assertThat(image.rgb()).hasSize(3 * image.width() * image.height());
            } catch (GenerationException e) {
                assertThat(e.type()).isIn(ErrorType.INVALID_IMAGE_FORMAT, ErrorType.IMAGE_TOO_LARGE);
                refused++;
            }
        }
        assertThat(refused).isPositive();
    }

    @Test
    void decode_corruptPixels_doesNotTellTheMessageOfTheReader() {
        byte[] png = TestPictures.png(4, 4, 8, 2, new byte[10]);

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> decode(png))
                .withMessage("the PNG picture cannot be decoded: it is truncated or corrupt");
    }

    @Test
    void decode_pngWithWrongHeaderChecksum_isRefused() {
        byte[] png = GoldenImages.bytes("rgb_small.png");
        png[30]++;

        assertRefused(png, ErrorType.INVALID_IMAGE_FORMAT, "the checksum of an IHDR chunk is wrong");
    }

    @ParameterizedTest
    @CsvSource({
        "<!DOCTYPE html><html>, HTML",
        "<svg xmlns=''></svg>, SVG",
        "%PDF-1.7, PDF",
        "....ftypavif...., AVIF",
        "....ftypheic...., HEIC",
        "....ftypisom...., a video",
        "'{\"error\": 1}', JSON"
    })
    void decode_otherContent_saysWhatItLooksLike(String content, String name) {
        byte[] bytes = content.getBytes(StandardCharsets.ISO_8859_1);

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> decode(bytes))
                .withMessage("a PNG, JPEG, GIF, WebP, BMP or TIFF picture is needed; this looks like " + name);
    }

    @Test
    void decode_unknownContent_namesTheFormatsNeeded() {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> decode(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}))
                .withMessage("a PNG, JPEG, GIF, WebP, BMP or TIFF picture is needed");
        assertRefused(new byte[0], ErrorType.INVALID_IMAGE_FORMAT, "this looks like an empty file");
        assertRefused("II*\0........".getBytes(StandardCharsets.ISO_8859_1), ErrorType.INVALID_IMAGE_FORMAT, "TIFF");
    }

    @Test
    void decode_waitingForMemoryInterrupted_isOverloaded() {
        Thread.currentThread().interrupt();

        assertRefused(GoldenImages.bytes("one_pixel.png"), ErrorType.OVERLOADED, "interrupted");
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void decode_othersHoldTheMemory_isOverloadedInTime() {
        ImageDecoder narrow = new ImageDecoder(ImageLimits.defaults(), true, 1 << 20, Duration.ofMillis(1), () -> 0);
        byte[] png = GoldenImages.bytes("one_pixel.png");
        byte[] large = TestPictures.png(700, 150, 8, 0, new byte[150 * 701]);

        GenerationException refused = narrow.decode(large, PARAM, image -> {
            assertThat(narrow.decode(png, PARAM).width()).isEqualTo(1); // there is room for this one
            try {
                narrow.decode(large, PARAM);
                return null;
            } catch (GenerationException e) {
                return e;
            }
        });

        assertThat(refused).isNotNull().hasMessage("other pictures leave no memory to decode this one");
        assertThat(refused.type()).isEqualTo(ErrorType.OVERLOADED);
        assertThat(narrow.decode(large, PARAM).width()).isEqualTo(700);
    }

    @Test
    void decode_pictureBeyondTheBudget_isRefused() {
        ImageDecoder narrow = new ImageDecoder(ImageLimits.defaults(), true, 1 << 20);
        byte[] png = TestPictures.png(600, 600, 8, 2, new byte[600 * 1801]);

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> narrow.decode(png, PARAM))
                .withMessageMatching(
                        "decoding the picture of 600 x 600 pixels takes [0-9]+ bytes of memory; the limit is 1048576")
                .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.IMAGE_TOO_LARGE));
    }

    @Test
    void decode_webpWithManyCodeGroups_countsTheirMemory() throws IOException {
        byte[] webp = HardPicturesTest.resource("/pictures/bombs/webp-code-groups.webp");

        // 4096 groups of codes in 18 kB, for which native code takes 23 MB.
        assertThat(ImageHeader.parse(webp, PARAM).decodingBytes()).isGreaterThan(23_000_000);
        assertThat(decode(webp).width()).isEqualTo(256);
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void decode_anyFormatBeyondTheDeadline_isStopped(String name) {
        long[] now = {0};
        Duration second = Duration.ofSeconds(1);
        // Each look at the clock takes a second.
        ImageDecoder slow =
                new ImageDecoder(ImageLimits.defaults(), true, 512 << 20, second, () -> now[0] += second.toNanos());

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> slow.decode(GoldenImages.bytes(name), PARAM))
                .withMessageMatching("decoding the picture of .* pixels took longer than the limit of 1000 ms")
                .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.IMAGE_TOO_LARGE));
    }

    @Test
    void decode_pngThatTakesTooLong_isStoppedBetweenRows() {
        long[] looks = {0};
        // The bytes are read before the rows are made.
        ImageDecoder slow =
                new ImageDecoder(ImageLimits.defaults(), true, 512 << 20, Duration.ofNanos(50), () -> looks[0]++);
        byte[] png = TestPictures.png(10, 5000, 8, 2, new byte[5000 * 31]);

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> slow.decode(png, PARAM))
                .withMessageContaining("longer than the limit");
        assertThat(looks[0]).isLessThan(100);
    }

    @Test
    void decode_millionsOfParts_areRefusedByTheirNumber() {
        ByteBuffer png = ByteBuffer.allocate(8 + 25 + 100_001 * 12);
        png.put(TestPictures.png(1, 1, 8, 2, new byte[4]), 0, 33);
        ByteBuffer jpeg = ByteBuffer.allocate(2 + 100_001 * 4).putShort((short) 0xffd8);
        ByteBuffer webp = ByteBuffer.allocate(100_001 * 8).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer gif = ByteBuffer.allocate(13 + 100_001 * 3);
        gif.put("GIF89a".getBytes(StandardCharsets.ISO_8859_1)).position(13);
        for (int i = 0; i < 100_001; i++) {
            png.putInt(0).putInt(0x74455874).putInt(0); // tEXt
            jpeg.putInt(0xfffe0002); // a comment
            webp.putInt(0x20504d58).putInt(0); // XMP
            gif.put(new byte[] {0x21, (byte) 0xfe, 0});
        }

        assertRefused(png.array(), ErrorType.INVALID_IMAGE_FORMAT, "the PNG picture has more than 100000 chunks");
        assertRefused(jpeg.array(), ErrorType.INVALID_IMAGE_FORMAT, "the JPEG picture has more than 100000 segments");
        assertRefused(
                TestPictures.webp(webp.array()),
                ErrorType.INVALID_IMAGE_FORMAT,
                "the WebP picture has more than 100000 chunks");
        assertRefused(gif.array(), ErrorType.INVALID_IMAGE_FORMAT, "the GIF picture has more than 100000 extensions");
    }

    @Test
    void decode_bitmapThatNamesAProfile_ignoresIt() {
        byte[] plain = TestPictures.written(new BufferedImage(2, 2, BufferedImage.TYPE_3BYTE_BGR), "bmp");
        ByteBuffer bmp = ByteBuffer.allocate(plain.length + 84).order(ByteOrder.LITTLE_ENDIAN);
        bmp.put(plain, 0, 54).put(new byte[84]).put(plain, 54, plain.length - 54);
        bmp.putInt(10, 54 + 84).putInt(14, 124);
        bmp.putInt(70, 0x4c494e4b).putInt(126, 14).putInt(130, 60); // LINK, to a file whose name is in the file

        assertThat(decode(bmp.array()).rgb()).isEqualTo(new byte[12]);
        bmp.putInt(70, 0x4d424544); // MBED, a profile that is none
        assertThat(decode(bmp.array()).rgb()).isEqualTo(new byte[12]);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 500_000_001})
    void limits_pixelsBeyondAnArray_areRefused(long pixels) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ImageLimits(pixels, 32_768))
                .withMessage("the limit on pixels is " + pixels + "; it has to be 1 to 500000000");
    }

    private RgbImage decode(byte[] bytes) {
        return decoder.decode(bytes, PARAM);
    }

    private void assertRefused(byte[] bytes, ErrorType type, String message) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> decode(bytes))
                .withMessageContaining(message)
                .satisfies(e -> assertThat(e.type()).isEqualTo(type));
    }

    private static int indexOf(byte[] bytes, byte[] part) {
        for (int i = 0; i <= bytes.length - part.length; i++) {
            if (Arrays.equals(bytes, i, i + part.length, part, 0, part.length)) {
                return i;
            }
        }
        throw new IllegalArgumentException("not found");
    }
}
