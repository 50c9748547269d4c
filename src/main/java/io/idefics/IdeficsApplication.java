package io.idefics;

import io.idefics.bench.BenchCommand;
import io.idefics.keys.KeyCommand;
import java.util.concurrent.atomic.AtomicBoolean;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import sun.misc.Signal;

/** Starts the service, the bench, or the command that makes keys. Only the packages with Spring's components are searched for them. */
@SpringBootApplication(scanBasePackages = {"io.idefics.config", "io.idefics.observability"})
public class IdeficsApplication {

    /** What shells add to the number of the signal that ended a process. */
    private static final int SIGNALLED = 128;

    public static void main(String[] args) {
        if (args.length > 0 && args[0].equals(BenchCommand.NAME)) {
            System.exit(BenchCommand.main(IdeficsApplication.class, args));
        }
        if (args.length > 0 && args[0].equals(KeyCommand.NAME)) {
            System.exit(KeyCommand.main(args));
        }
        handleSignals();
        SpringApplication.run(IdeficsApplication.class, args);
    }

    /** At the first signal to stop, answers are still finished. At the second, which the JVM would not heed, all ends at once. */
    private static void handleSignals() {
        AtomicBoolean stopping = new AtomicBoolean();
        try {
            Signal.handle(new Signal("TERM"), signal -> stop(signal, stopping));
            Signal.handle(new Signal("INT"), signal -> stop(signal, stopping));
        } catch (IllegalArgumentException e) {
            // The JVM was told to leave signals alone (-Xrs).
        }
    }

    private static void stop(Signal signal, AtomicBoolean stopping) {
        int status = SIGNALLED + signal.getNumber();
        if (stopping.getAndSet(true)) {
            Runtime.getRuntime().halt(status);
        }
        // Of its own, since it does not return and the next signal would wait for that.
        new Thread(() -> System.exit(status), "exit").start();
    }
}
