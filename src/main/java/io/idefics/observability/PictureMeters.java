package io.idefics.observability;

import io.idefics.service.PictureCache;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import org.springframework.stereotype.Component;

/** The meters of the cache of preprocessed pictures: {@code cache.gets}, {@code cache.evictions} and more. */
@Component
class PictureMeters implements MeterBinder {

    private final PictureCache pictures;

    PictureMeters(PictureCache pictures) {
        this.pictures = pictures;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        pictures.bindTo(registry, "idefics.pictures");
    }
}
