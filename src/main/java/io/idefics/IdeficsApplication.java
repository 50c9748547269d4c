package io.idefics;

import io.idefics.bench.BenchCommand;
import io.idefics.keys.KeyCommand;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** Starts the service, the bench, or the command that makes keys. Only the packages with Spring's components are searched for them. */
@SpringBootApplication(scanBasePackages = {"io.idefics.config", "io.idefics.observability"})
public class IdeficsApplication {

    public static void main(String[] args) {
        if (args.length > 0 && args[0].equals(BenchCommand.NAME)) {
            System.exit(BenchCommand.main(IdeficsApplication.class, args));
        }
        if (args.length > 0 && args[0].equals(KeyCommand.NAME)) {
            System.exit(KeyCommand.main(args));
        }
        SpringApplication.run(IdeficsApplication.class, args);
    }
}
