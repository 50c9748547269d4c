package io.idefics.processing;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ImageAttentionMaskTest {

    private static final int EOS = 2;
    private static final int FAKE = 8;
    private static final int IMAGE = 9;

    @Test
    void imageIndex_tokensBeforeTheImageToken_seeTheOneBefore() {
        assertThat(index(2, 1, 5, FAKE, IMAGE, FAKE, 5, FAKE, IMAGE, FAKE, 5))
                .containsExactly(-1, -1, -1, 0, 0, 0, 0, 1, 1, 1);
    }

    @Test
    void imageIndex_endOfSequence_hidesPicturesUntilTheNext() {
        assertThat(index(2, EOS, 5, IMAGE, 5, EOS, 5, EOS, IMAGE, EOS, 5))
                .containsExactly(-1, -1, 0, 0, 0, -1, -1, 1, 1, -1);
    }

    @Test
    void imageIndex_moreImageTokensThanPictures_seeNone() {
        assertThat(index(1, IMAGE, 5, IMAGE, 5)).containsExactly(0, 0, -1, -1);
        assertThat(index(0, IMAGE, 5)).containsExactly(-1, -1);
    }

    @Test
    void imageIndex_noIds_isEmpty() {
        assertThat(index(1)).isEmpty();
    }

    @Test
    void oneHot_indices_becomeRows() {
        assertThat(ImageAttentionMask.oneHot(new int[] {-1, 0, 2}, 3))
                .isDeepEqualTo(new int[][] {{0, 0, 0}, {1, 0, 0}, {0, 0, 1}});
    }

    private static int[] index(int imageCount, int... ids) {
        return ImageAttentionMask.imageIndex(ids, IMAGE, EOS, imageCount);
    }
}
