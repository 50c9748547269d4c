package io.idefics.image;

import io.idefics.image.FetchException.Outcome;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.IntSupplier;

/** The meters of fetches: how they end, how long they take and how many bytes they bring; no names of hosts. */
final class FetchMeters {

    private final Map<Outcome, Timer> fetches = new EnumMap<>(Outcome.class);
    private final DistributionSummary bytes;

    /** @param active fetches that hold a slot */
    FetchMeters(MeterRegistry registry, IntSupplier active) {
        for (Outcome outcome : Outcome.values()) {
            fetches.put(
                    outcome,
                    Timer.builder("idefics.image.fetches")
                            .description("Time to fetch a picture, by how it ended")
                            .tag("outcome", outcome.tag())
                            .register(registry));
        }
        this.bytes = DistributionSummary.builder("idefics.image.fetch.size")
                .description("Bytes of pictures that were fetched")
                .baseUnit("bytes")
                .register(registry);
        Gauge.builder("idefics.image.fetches.active", active::getAsInt)
                .description("Fetches that are running")
                .baseUnit("fetches")
                .strongReference(true)
                .register(registry);
    }

    void fetched(long size) {
        bytes.record(size);
    }

    void ended(Outcome outcome, Duration time) {
        Timer timer = fetches.get(outcome);
        if (timer != null) {
            timer.record(time);
        }
    }
}
