package io.idefics.bench;

import io.idefics.bench.Report.Environment;
import io.idefics.bench.Report.Run;
import java.io.PrintWriter;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** One bench: its loads, one after the other, and the report of them. */
final class BenchRun {

    private final List<Load> loads;
    private final Extent extent;
    private final Extent warmup;
    private final Duration timeout;
    private final int maxInFlight;
    private final Workload workload;

    private final List<Run> finished = new ArrayList<>();
    private final AtomicBoolean reported = new AtomicBoolean();
    private @Nullable Measurements current;

    /**
     * @param extent how much is asked under each load
     * @param warmup how much is asked before each load, not counted
     * @param timeout how long a request may take
     * @param maxInFlight the most conversations at once under an offered load
     */
    BenchRun(List<Load> loads, Extent extent, Extent warmup, Duration timeout, int maxInFlight, Workload workload) {
        this.loads = List.copyOf(loads);
        this.extent = extent;
        this.warmup = warmup;
        this.timeout = timeout;
        this.maxInFlight = maxInFlight;
        this.workload = workload;
    }

    /**
     * Measures, and reports once: at the end, or at Ctrl-C what there is until then.
     *
     * @param arguments for the report
     * @param progress gets a line for each load
     * @return whether every request was answered, those of the warm-up too, and the report was written
     */
    boolean run(Target target, List<String> arguments, ReportWriter writer, PrintWriter progress) {
        Environment environment = environment(target, arguments);
        Thread atExit = new Thread(
                () -> {
                    report(environment, false, writer);
                    target.close();
                },
                "bench-report");
        Runtime.getRuntime().addShutdownHook(atExit);
        boolean succeeded;
        try {
            succeeded = measure(target, progress);
        } finally {
            remove(atExit);
        }
        return report(environment, true, writer) && succeeded;
    }

    private boolean measure(Target target, PrintWriter progress) {
        ConversationGenerator conversations = new ConversationGenerator(workload);
        LoadGenerator generator = new LoadGenerator(target, conversations, timeout, maxInFlight, workload.seed());
        boolean succeeded = true;
        for (Load load : loads) {
            progress.println(load.label() + " on " + target.model());
            Run warm = measure(generator, load, warmup, new Measurements(load, System.nanoTime()));
            warm.failures()
                    .forEach(failure -> progress.println("In the warm-up " + failure.count() + " failed with "
                            + failure.status() + ": " + failure.example()));
            Measurements measurements = new Measurements(load, System.nanoTime());
            begin(measurements);
            Run run = measure(generator, load, extent, measurements);
            end(run);
            succeeded &= warm.succeeded() && run.succeeded();
        }
        return succeeded;
    }

    private static Run measure(LoadGenerator generator, Load load, Extent extent, Measurements measurements) {
        generator.run(load, new Tickets(extent, System.nanoTime()), measurements);
        return measurements.snapshot();
    }

    private synchronized void begin(Measurements measurements) {
        current = measurements;
    }

    private synchronized void end(Run run) {
        finished.add(run);
        current = null;
    }

    private synchronized List<Run> runs() {
        List<Run> runs = new ArrayList<>(finished);
        if (current != null) {
            runs.add(current.snapshot());
        }
        return runs;
    }

    private boolean report(Environment environment, boolean complete, ReportWriter writer) {
        return !reported.compareAndSet(false, true)
                || writer.write(new Report(environment, workload, complete, runs()));
    }

    /** The hook of a process that is ending already cannot be removed, and runs. */
    private static void remove(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            return;
        }
    }

    private static Environment environment(Target target, List<String> arguments) {
        return new Environment(
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                target.name(),
                target.model(),
                BenchRun.class.getPackage().getImplementationVersion(),
                Runtime.version().toString(),
                System.getProperty("os.name") + " " + System.getProperty("os.arch"),
                Runtime.getRuntime().availableProcessors(),
                List.copyOf(arguments));
    }
}
