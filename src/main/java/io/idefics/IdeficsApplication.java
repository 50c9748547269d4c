package io.idefics;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** Starts the service. Only the packages with Spring's components are searched for them. */
@SpringBootApplication(scanBasePackages = {"io.idefics.config", "io.idefics.observability"})
public class IdeficsApplication {

    public static void main(String[] args) {
        SpringApplication.run(IdeficsApplication.class, args);
    }
}
