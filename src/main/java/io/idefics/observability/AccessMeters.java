package io.idefics.observability;

import io.idefics.admission.AccessRefusals;
import io.idefics.admission.AccessRefusals.Reason;
import io.idefics.admission.ApiKeys;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.Locale;
import org.springframework.stereotype.Component;

/** The meters of the API keys, none of which names a client. */
@Component
class AccessMeters implements MeterBinder {

    private final ApiKeys keys;
    private final AccessRefusals refusals;

    AccessMeters(ApiKeys keys, AccessRefusals refusals) {
        this.keys = keys;
        this.refusals = refusals;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        for (Reason reason : Reason.values()) {
            FunctionCounter.builder("idefics.access.refused", refusals, counts -> counts.total(reason))
                    .description("Requests that were not let in, for their API key or host name")
                    .baseUnit("requests")
                    .tag("reason", reason.name().toLowerCase(Locale.ROOT))
                    .register(registry);
        }
        Gauge.builder("idefics.access.keys", keys, ApiKeys::size)
                .description("API keys that are known")
                .baseUnit("keys")
                .register(registry);
        Gauge.builder("idefics.access.outdated", keys, now -> now.problem() == null ? 0 : 1)
                .description("1 while the key file is wrong and the keys are those of before")
                .register(registry);
    }
}
