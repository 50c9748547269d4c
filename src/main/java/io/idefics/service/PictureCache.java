package io.idefics.service;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.idefics.image.IdeficsImageProcessor;
import io.idefics.model.PixelValues;
import io.idefics.model.Sha256;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.cache.CaffeineCacheMetrics;
import java.util.List;
import java.util.function.Supplier;

/**
 * Preprocessed pictures by the bytes of their files: each turn of a conversation brings all its pictures again. Two
 * requests that bring the same new picture at once both decode it.
 */
public final class PictureCache {

    /** Models differ in how they preprocess. */
    private record Key(String digest, IdeficsImageProcessor processor) {}

    private final Cache<Key, PixelValues> pictures;

    /** @param bytes the most bytes of values that are kept */
    public PictureCache(long bytes) {
        this.pictures = Caffeine.newBuilder()
                .maximumWeight(bytes)
                .weigher((Key key, PixelValues picture) -> picture.values().length * Float.BYTES)
                .executor(Runnable::run)
                .recordStats()
                .build();
    }

    /**
     * The picture of a file as it was preprocessed before, or as it is preprocessed now.
     *
     * @param preprocess may fail; then nothing is kept
     */
    PixelValues get(byte[] file, IdeficsImageProcessor processor, Supplier<PixelValues> preprocess) {
        Key key = new Key(Sha256.hex(file), processor);
        PixelValues kept = pictures.getIfPresent(key);
        if (kept != null) {
            return kept;
        }
        PixelValues picture = preprocess.get();
        pictures.put(key, picture);
        return picture;
    }

    /** Publishes hits, misses, evictions and size under the name of the cache. */
    public void bindTo(MeterRegistry registry, String name) {
        CaffeineCacheMetrics.monitor(registry, pictures, name, List.of());
    }
}
