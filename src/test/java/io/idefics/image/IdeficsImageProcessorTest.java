package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class IdeficsImageProcessorTest {

    @Test
    void pixelValues_colouredPixel_fillsItsChannels() {
        IdeficsImageProcessor processor =
                new IdeficsImageProcessor(2, new float[] {0, 0.5f, 1}, new float[] {1, 0.5f, 0.25f});

        float[] values = processor.pixelValues(new RgbImage(1, 1, new byte[] {-1, 0, -1}));

        assertThat(values).containsExactly(1, 1, 1, 1, -1, -1, -1, -1, 0, 0, 0, 0);
    }

    @Test
    void create_wrongNumberOfMeans_isRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new IdeficsImageProcessor(2, new float[2], new float[3]))
                .withMessage("2 means and 3 deviations were given; 3 of each are needed");
        assertThatIllegalArgumentException().isThrownBy(() -> new IdeficsImageProcessor(0, new float[3], new float[3]));
    }

    @Test
    void create_pictureOfWrongLength_isRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new RgbImage(2, 2, new byte[11]))
                .withMessage("11 bytes are not a picture of 2 x 2 RGB pixels");
    }
}
