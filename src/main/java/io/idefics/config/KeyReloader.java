package io.idefics.config;

import io.idefics.admission.ApiKey;
import io.idefics.admission.ApiKeys;
import io.idefics.admission.InvalidAccessException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Exchanges the keys when those of a file have changed. It compares what is in the file, as links that change, such as those
 * of mounted Secrets, tell nothing by their times; and it waits until two looks have seen the same, as the file may be
 * half written.
 */
final class KeyReloader implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(KeyReloader.class);

    private final KeyFile file;
    private final List<ApiKey> others;
    private final ApiKeys keys;
    private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "key-reloader");
        thread.setDaemon(true);
        return thread;
    });

    private byte[] seen;

    /** What was taken over, or refused, last; null after the file could not be read. */
    private byte @Nullable [] settled;

    /**
     * Makes a reloader, which does nothing before it is started.
     *
     * @param others the keys that are not from the file
     * @param content what the keys now are from
     */
    KeyReloader(KeyFile file, List<ApiKey> others, byte[] content, ApiKeys keys) {
        this.file = file;
        this.others = others;
        this.keys = keys;
        this.settled = content;
        this.seen = content;
    }

    void start(Duration interval) {
        ScheduledFuture<?> unused = executor.scheduleWithFixedDelay(
                this::look, interval.toNanos(), interval.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Looks at the file once. */
    void look() {
        try {
            byte[] content = content();
            boolean stable = Arrays.equals(content, seen);
            seen = content;
            if (stable && !Arrays.equals(content, settled)) {
                settled = content;
                takeOver(content);
            }
        } catch (InvalidAccessException e) {
            refuse(String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            log.error("The API keys cannot be read again and stay as they are", e);
        }
    }

    private byte[] content() {
        try {
            return file.read();
        } catch (InvalidAccessException e) {
            settled = null;
            throw e;
        }
    }

    private void takeOver(byte[] content) {
        List<ApiKey> all = new ArrayList<>(others);
        all.addAll(file.parse(content));
        keys.replace(all);
        log.info("The API keys were read again, there are {} now", all.size());
    }

    private void refuse(String problem) {
        if (!problem.equals(keys.problem())) {
            log.error("The API keys stay as they are: {}", problem);
        }
        keys.keep(problem);
    }

    @Override
    public void close() {
        executor.shutdownNow();
    }
}
