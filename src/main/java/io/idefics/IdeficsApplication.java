package io.idefics;

import io.idefics.bench.BenchCommand;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** Starts the service, or the bench. Only the packages with Spring's components are searched for them. */
@SpringBootApplication(scanBasePackages = {"io.idefics.config", "io.idefics.observability"})
public class IdeficsApplication {

    public static void main(String[] args) {
        if (args.length > 0 && args[0].equals(BenchCommand.NAME)) {
            System.exit(BenchCommand.main(IdeficsApplication.class, args));
        }
        SpringApplication.run(IdeficsApplication.class, args);
    }
}
