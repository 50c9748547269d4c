package io.idefics.observability;

import io.idefics.admission.Limit;
import io.idefics.admission.Limits;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import org.springframework.stereotype.Component;

/** The meters of the limits; callers are not told apart, since there can be any number of them. */
@Component
class LimitMeters implements MeterBinder {

    private final Limits limits;

    LimitMeters(Limits limits) {
        this.limits = limits;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        for (Limit limit : Limit.values()) {
            FunctionCounter.builder("idefics.limits.refused", limits, now -> now.refused(limit))
                    .tag("limit", limit.label())
                    .description("Requests refused because their caller has done all that it may")
                    .register(registry);
        }
        if (limits.isShared()) {
            FunctionCounter.builder("idefics.limits.redis.failures", limits, Limits::redisFailures)
                    .description("Questions that Redis did not answer in time")
                    .register(registry);
            Gauge.builder("idefics.limits.redis.up", limits, now -> now.isRedisUp() ? 1 : 0)
                    .description("Whether limits are counted in Redis (1) or it does not answer (0)")
                    .register(registry);
        }
    }
}
