package io.idefics.observability;

import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Refusal;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.springframework.stereotype.Component;

/** The meters of admission: what requests have taken of what there is, and how often there was not enough. */
@Component
class AdmissionMeters implements MeterBinder {

    private static final String PREFIX = "idefics.admission.";

    private final ConcurrencyLimiter limiter;

    AdmissionMeters(ConcurrencyLimiter limiter) {
        this.limiter = limiter;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        gauge(registry, "requests", "requests", "Requests that are admitted", ConcurrencyLimiter::requests);
        gauge(registry, "requests.max", "requests", "The most that may be", ConcurrencyLimiter::maxRequests);
        gauge(registry, "tokens", "tokens", "Tokens that these requests may take", ConcurrencyLimiter::tokens);
        gauge(registry, "tokens.max", "tokens", "The most that they may", ConcurrencyLimiter::maxTokens);
        gauge(registry, "memory", "bytes", "The bodies of these requests", ConcurrencyLimiter::bodyBytes);
        gauge(registry, "memory.max", "bytes", "The most that they may be", ConcurrencyLimiter::maxBodyBytes);
        gauge(
                registry,
                "arriving",
                "requests",
                "Requests whose bodies are on their way, which are not admitted yet",
                ConcurrencyLimiter::arriving);
        gauge(
                registry,
                "fetching",
                "requests",
                "Requests whose pictures are on their way, which others are admitted in the place of",
                ConcurrencyLimiter::fetching);
        FunctionCounter.builder(PREFIX + "displaced", limiter, ConcurrencyLimiter::displaced)
                .description("Requests that were given up since their bodies came more slowly than others")
                .baseUnit("requests")
                .register(registry);
        for (Refusal reason : Refusal.values()) {
            FunctionCounter.builder(PREFIX + "refused", limiter, l -> l.refused(reason))
                    .tag("reason", reason.name().toLowerCase(Locale.ROOT))
                    .description(
                            "Requests that were refused because there were too many requests, they asked for too much"
                                    + " work, or their bodies took too much memory")
                    .baseUnit("requests")
                    .register(registry);
        }
    }

    private void gauge(
            MeterRegistry registry,
            String name,
            String unit,
            String description,
            ToDoubleFunction<ConcurrencyLimiter> value) {
        Gauge.builder(PREFIX + name, limiter, value)
                .description(description)
                .baseUnit(unit)
                .register(registry);
    }
}
