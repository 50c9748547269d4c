package io.idefics.config;

import io.idefics.service.ModelRegistry;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.springframework.boot.web.context.WebServerGracefulShutdownLifecycle;
import org.springframework.context.SmartLifecycle;

/**
 * Ends the answers that are still generated shortly before the time to stop is over, so that their clients are told
 * rather than cut off. The web server takes no connections any more by then and waits for these answers.
 */
final class Drain implements SmartLifecycle {

    private static final Duration LONGEST_MARGIN = Duration.ofSeconds(5);
    /** The margin as a share of the time, where that is shorter. */
    private static final int MARGIN_SHARE = 4;

    private final ModelRegistry models;
    private final Duration timeout;
    private volatile boolean running;

    /** @param timeout how long answers may take once the service is told to stop */
    Drain(ModelRegistry models, Duration timeout) {
        this.models = models;
        this.timeout = timeout;
    }

    @Override
    public void start() {
        running = true;
    }

    @Override
    public void stop() {
        running = false;
        long margin = Math.min(LONGEST_MARGIN.toMillis(), timeout.toMillis() / MARGIN_SHARE);
        CompletableFuture.delayedExecutor(timeout.toMillis() - margin, TimeUnit.MILLISECONDS)
                .execute(models::stop);
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    @Override
    public int getPhase() {
        return WebServerGracefulShutdownLifecycle.SMART_LIFECYCLE_PHASE;
    }
}
