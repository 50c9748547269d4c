package io.idefics.config;

import io.swagger.v3.core.util.Yaml31;
import io.swagger.v3.oas.models.OpenAPI;
import io.swagger.v3.oas.models.SpecVersion;
import java.io.IOException;
import java.io.InputStream;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.io.Resource;

/** Publishes the contract of the API, which is written by hand, not derived from the code. */
@Configuration(proxyBeanMethods = false)
public class OpenApiConfiguration {

    @Bean
    OpenAPI openApi(@Value("classpath:openapi.yaml") Resource contract) throws IOException {
        try (InputStream yaml = contract.getInputStream()) {
            OpenAPI api = Yaml31.mapper().readValue(yaml, OpenAPI.class);
            api.setSpecVersion(SpecVersion.V31);
            return api;
        }
    }
}
