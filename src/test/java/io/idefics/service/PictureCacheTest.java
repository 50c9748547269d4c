package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.idefics.image.IdeficsImageProcessor;
import io.idefics.model.PixelValues;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import org.junit.jupiter.api.Test;

class PictureCacheTest {

    private static final byte[] FILE = {1, 2, 3};
    private static final int PICTURE_BYTES = 3 * 2 * 2 * Float.BYTES;

    private final IdeficsImageProcessor processor = processor();
    private final PictureCache cache = new PictureCache(2 * PICTURE_BYTES);
    private int preprocessed;

    @Test
    void get_sameBytes_preprocessesOnce() {
        PixelValues first = get(FILE);

        assertThat(get(FILE.clone())).isSameAs(first);
        assertThat(preprocessed).isOne();
    }

    @Test
    void get_otherBytes_preprocesses() {
        get(FILE);

        assertThat(get(new byte[] {1, 2, 4}).values()[0]).isEqualTo(2);
    }

    @Test
    void get_otherProcessor_preprocesses() {
        get(FILE);

        cache.get(FILE, processor(), this::preprocess);

        assertThat(preprocessed).isEqualTo(2);
    }

    @Test
    void get_failure_isNotKept() {
        assertThatIllegalStateException()
                .isThrownBy(() -> cache.get(FILE, processor, () -> {
                    throw new IllegalStateException("corrupt");
                }))
                .withMessage("corrupt");

        get(FILE);
        assertThat(preprocessed).isOne();
    }

    @Test
    void get_morePicturesThanFit_keepsWithinTheBytes() {
        for (byte i = 0; i < 50; i++) {
            get(new byte[] {i});
        }

        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        cache.bindTo(registry, "pictures");
        assertThat(registry.get("cache.size").gauge().value()).isLessThanOrEqualTo(2);
        assertThat(registry.get("cache.eviction.weight").functionCounter().count())
                .isGreaterThanOrEqualTo(48 * PICTURE_BYTES);
    }

    @Test
    void get_noRoom_preprocessesEachTime() {
        PictureCache none = new PictureCache(0);

        none.get(FILE, processor, this::preprocess);
        none.get(FILE, processor, this::preprocess);

        assertThat(preprocessed).isEqualTo(2);
    }

    private PixelValues get(byte[] file) {
        return cache.get(file, processor, this::preprocess);
    }

    private PixelValues preprocess() {
        preprocessed++;
        return new PixelValues(new float[] {preprocessed, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 2);
    }

    private static IdeficsImageProcessor processor() {
        return new IdeficsImageProcessor(2, new float[3], new float[] {1, 1, 1});
    }
}
