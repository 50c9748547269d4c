package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Decoding and preprocessing against the reference, for every picture of the reference data. */
class ImageGoldenTest {

    private static final float[] MEAN = GoldenImages.floats("image_mean");
    private static final float[] STD = GoldenImages.floats("image_std");
    private static final IdeficsImageProcessor PROCESSOR_224 = new IdeficsImageProcessor(224, MEAN, STD);
    private static final IdeficsImageProcessor PROCESSOR_64 = new IdeficsImageProcessor(64, MEAN, STD);

    private final ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), false, 512 << 20);

    static List<String> pictures() {
        return GoldenImages.names();
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void decode_anyPicture_hasTheSizeAndMeansOfTheReference(String name) {
        JsonNode facts = GoldenImages.facts(name);

        RgbImage image = decoder.decode(GoldenImages.bytes(name), "url");

        assertThat(image.width()).isEqualTo(facts.get("width").asInt());
        assertThat(image.height()).isEqualTo(facts.get("height").asInt());
        for (int channel = 0; channel < 3; channel++) {
            assertThat(mean(image, channel))
                    .isCloseTo(facts.get("rgb_mean").get(channel).asDouble(), within(0.0001));
        }
        assertThat(image.rgb()).startsWith(firstPixels(facts));
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void decode_anyPicture_hasThePixelsOfTheReference(String name) {
        RgbImage image = decoder.decode(GoldenImages.bytes(name), "url");

        assertThat(sha256(image.rgb()))
                .isEqualTo(GoldenImages.facts(name).get("rgb_sha256").asText());
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void resize_anyPicture_hasTheLevelsOfTheReference(String name) {
        RgbImage image = decoder.decode(GoldenImages.bytes(name), "url");

        assertThat(BicubicResize.resize(image, 64, 64).rgb()).isEqualTo(GoldenImages.TENSORS.bytes(name + ".u8_64"));
        assertThat(sha256(BicubicResize.resize(image, 224, 224).rgb()))
                .isEqualTo(GoldenImages.facts(name).get("u8_224_sha256").asText());
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void pixelValues_anyPicture_equalTheReference(String name) {
        RgbImage image = decoder.decode(GoldenImages.bytes(name), "url");

        float[] small = PROCESSOR_64.pixelValues(image);
        float[] large = PROCESSOR_224.pixelValues(image);

        assertThat(small).containsExactly(GoldenImages.TENSORS.floats(name + ".pixel_values_64"));
        double sum = 0;
        for (float value : large) {
            sum += value;
        }
        assertThat(sum)
                .isCloseTo(GoldenImages.facts(name).get("pixel_values_224_sum").asDouble(), within(1e-6));
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void pixelValues_atFullSizeWhereRecorded_equalTheReference(String name) {
        RgbImage image = decoder.decode(GoldenImages.bytes(name), "url");
        String full = name + ".pixel_values_224";
        String levels = name + ".u8_224";

        for (JsonNode tensor : GoldenImages.facts(name).get("tensors")) {
            if (tensor.asText().equals(full)) {
                assertThat(PROCESSOR_224.pixelValues(image)).containsExactly(GoldenImages.TENSORS.floats(full));
            }
            if (tensor.asText().equals(levels)) {
                assertThat(BicubicResize.resize(image, 224, 224).rgb()).isEqualTo(GoldenImages.TENSORS.bytes(levels));
            }
        }
    }

    @Test
    void resize_orientedPicture_hasTheLevelsOfTheTurnedReference() {
        ImageDecoder orienting = new ImageDecoder(ImageLimits.defaults(), true, 512 << 20);

        RgbImage image = orienting.decode(GoldenImages.bytes("exif6.jpg"), "url");

        assertThat(image.width()).isEqualTo(173);
        assertThat(image.height()).isEqualTo(135);
        assertThat(BicubicResize.resize(image, 64, 64).rgb())
                .isEqualTo(GoldenImages.TENSORS.bytes("exif6.jpg.u8_64_exif_applied"));
    }

    private static org.assertj.core.data.Offset<Double> within(double tolerance) {
        return org.assertj.core.data.Offset.offset(tolerance);
    }

    private static double mean(RgbImage image, int channel) {
        long sum = 0;
        for (int i = channel; i < image.rgb().length; i += 3) {
            sum += image.rgb()[i] & 0xff;
        }
        return (double) sum / (image.rgb().length / 3);
    }

    private static byte[] firstPixels(JsonNode facts) {
        JsonNode pixels = facts.get("rgb_first_pixels");
        byte[] bytes = new byte[3 * pixels.size()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) pixels.get(i / 3).get(i % 3).asInt();
        }
        return bytes;
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
