package io.idefics.config;

import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.github.resilience4j.bulkhead.BulkheadRegistry;
import io.idefics.admission.AdmissionProperties;
import io.idefics.admission.Arrivals;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Limits;
import io.idefics.admission.LimitsProperties;
import io.idefics.web.ConnectionProperties;
import io.idefics.web.WebProperties;
import java.time.Duration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires admission; the bulkhead comes from the registry so that its meters are published. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({AdmissionProperties.class, LimitsProperties.class})
public class AdmissionConfiguration {

    @Bean
    ConcurrencyLimiter concurrencyLimiter(
            BulkheadRegistry bulkheads,
            AdmissionProperties properties,
            WebProperties web,
            ConnectionProperties connections) {
        BulkheadConfig config = BulkheadConfig.custom()
                .maxConcurrentCalls(properties.maxConcurrentRequests())
                .maxWaitDuration(Duration.ZERO)
                .build();
        return new ConcurrencyLimiter(
                bulkheads.bulkhead("generation", config),
                properties.bodyBytes(web.maxBodyBytes()),
                properties.admittedTokens(),
                properties.shares(),
                new Arrivals(
                        properties.maxIncomingBodies(),
                        connections.minBodyRate().toBytes()),
                properties.maxFetchingRequests());
    }

    @Bean
    Limits limits(LimitsProperties properties) {
        return Limits.of(properties);
    }
}
