package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExifOrientationTest {

    private final ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), true, 64 << 20);

    /** The picture ab/cd/ef upright, as it is stored in each orientation. */
    @ParameterizedTest
    @CsvSource({
        "1, 2, abcdef",
        "2, 2, badcfe",
        "3, 2, fedcba",
        "4, 2, efcdab",
        "5, 3, acebdf",
        "6, 3, bdface",
        "7, 3, fdbeca",
        "8, 3, ecafdb"
    })
    void apply_everyOrientation_turnsThePictureUpright(int orientation, int storedWidth, String stored) {
        RgbImage image = new RgbImage(storedWidth, 6 / storedWidth, pixels(stored));

        RgbImage upright = ExifOrientation.apply(image, orientation);

        assertThat(upright.width()).isEqualTo(2);
        assertThat(upright.height()).isEqualTo(3);
        assertThat(upright.rgb()).isEqualTo(pixels("abcdef"));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void decode_jpegWithOrientation_isTurned(int orientation) {
        byte[] jpeg = GoldenImages.bytes("photo_444.jpg");
        RgbImage plain = decoder.decode(jpeg, "url");

        byte[] little = TestPictures.withExif(jpeg, TestPictures.exif(orientation, ByteOrder.LITTLE_ENDIAN));
        byte[] big = TestPictures.withExif(jpeg, TestPictures.exif(orientation, ByteOrder.BIG_ENDIAN));

        byte[] expected = ExifOrientation.apply(plain, orientation).rgb();
        assertThat(decoder.decode(little, "url").rgb()).isEqualTo(expected);
        assertThat(decoder.decode(big, "url").rgb()).isEqualTo(expected);
    }

    @Test
    void decode_pngWithOrientation_isTurned() {
        byte[] exif = TestPictures.exif(6, ByteOrder.BIG_ENDIAN);
        byte[] png = TestPictures.png(2, 1, 8, 2, new byte[] {0, 1, 1, 1, 2, 2, 2}, TestPictures.chunk("eXIf", exif));

        RgbImage image = decoder.decode(png, "url");

        assertThat(image.width()).isEqualTo(1);
        assertThat(image.height()).isEqualTo(2);
        assertThat(image.rgb()).containsExactly(1, 1, 1, 2, 2, 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "Exif\0\0"})
    void decode_webpWithOrientation_isTurned(String prefix) {
        byte[] still = GoldenImages.bytes("photo.webp");
        byte[] tiff = TestPictures.exif(8, ByteOrder.LITTLE_ENDIAN);
        byte[] exif = ByteBuffer.allocate(prefix.length() + tiff.length)
                .put(prefix.getBytes(StandardCharsets.ISO_8859_1))
                .put(tiff)
                .array();
        byte[] webp = TestPictures.webp(
                TestPictures.riffChunk("VP8X", TestPictures.vp8x(0x08, 135, 173)),
                Arrays.copyOfRange(still, 12, still.length),
                TestPictures.riffChunk("EXIF", exif));

        RgbImage image = decoder.decode(webp, "url");

        assertThat(image.width()).isEqualTo(173);
        assertThat(image.rgb())
                .isEqualTo(
                        ExifOrientation.apply(decoder.decode(still, "url"), 8).rgb());
    }

    @Test
    void decode_orientationSwitchedOff_isNotTurned() {
        ImageDecoder plain = new ImageDecoder(ImageLimits.defaults(), false, 64 << 20);

        assertThat(plain.decode(GoldenImages.bytes("exif6.jpg"), "url").width()).isEqualTo(135);
        assertThat(decoder.decode(GoldenImages.bytes("exif6.jpg"), "url").width())
                .isEqualTo(173);
    }

    @Test
    void read_malformedStructures_areNormal() {
        byte[] valid = TestPictures.exif(6, ByteOrder.LITTLE_ENDIAN);
        assertThat(ExifOrientation.read(ByteBuffer.wrap(valid))).isEqualTo(6);

        assertThat(ExifOrientation.read(null)).isEqualTo(1);
        for (int length = 0; length < valid.length - 4; length++) {
            assertThat(ExifOrientation.read(ByteBuffer.wrap(valid, 0, length).slice()))
                    .isEqualTo(1);
        }
        byte[] farDirectory = valid.clone();
        ByteBuffer.wrap(farDirectory).order(ByteOrder.LITTLE_ENDIAN).putInt(4, -1);
        assertThat(ExifOrientation.read(ByteBuffer.wrap(farDirectory))).isEqualTo(1);
        assertThat(ExifOrientation.read(ByteBuffer.wrap(TestPictures.exif(0, ByteOrder.BIG_ENDIAN))))
                .isEqualTo(1);
        assertThat(ExifOrientation.read(ByteBuffer.wrap(TestPictures.exif(9, ByteOrder.BIG_ENDIAN))))
                .isEqualTo(1);
    }

    private static byte[] pixels(String letters) {
        byte[] rgb = new byte[3 * letters.length()];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) letters.charAt(i / 3);
        }
        return rgb;
    }
}
