package io.idefics.web;

import io.idefics.config.AccessConfiguration;
import io.idefics.config.AdmissionConfiguration;
import io.idefics.config.OpenApiConfiguration;
import io.idefics.config.WebConfiguration;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;

/** The HTTP interface over a scripted service; deliberately no component, so that no scan finds it. */
@EnableAutoConfiguration
@Import({WebConfiguration.class, AccessConfiguration.class, AdmissionConfiguration.class, OpenApiConfiguration.class})
public class WebTestApplication {

    public static void main(String[] args) {
        SpringApplication.run(WebTestApplication.class, args);
    }

    @Bean
    ScriptedCompletionService completionService() {
        return new ScriptedCompletionService();
    }

    /** The readiness group names this. */
    @Bean
    HealthIndicator models() {
        return () -> Health.up().build();
    }

    /** The liveness group names this. */
    @Bean
    HealthIndicator engines() {
        return () -> Health.up().build();
    }
}
