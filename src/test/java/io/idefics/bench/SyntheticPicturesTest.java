package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Base64;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SyntheticPicturesTest {

    private static final String PREFIX = "data:image/png;base64,";

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 33})
    void url_anySize_isAPngOfThatSize(int size) throws IOException {
        String url = new SyntheticPictures(size, 1, null).url(0);
        assertThat(url).startsWith(PREFIX);
        BufferedImage image =
                ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(url.substring(PREFIX.length()))));
        assertThat(image.getWidth()).isEqualTo(size);
        assertThat(image.getHeight()).isEqualTo(size);
    }

    @Test
    void url_distinct_repeatsAfterThem() {
        SyntheticPictures pictures = new SyntheticPictures(16, 1, 2);
        assertThat(pictures.url(2)).isEqualTo(pictures.url(0)).isNotEqualTo(pictures.url(1));
        assertThat(new SyntheticPictures(16, 1, null).url(0)).isEqualTo(pictures.url(0));
    }
}
