package io.idefics.engine;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.model.IdeficsModel;
import io.idefics.model.ModelInput;
import java.time.Duration;
import java.util.Collections;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.FluxSink;
import reactor.core.scheduler.Schedulers;

/**
 * Runs sequences on one replica of a model with continuous batching: they join and leave at every step. One thread owns
 * the model, loads it, steps and closes it. It knows token ids only, never text.
 */
public final class Engine implements SequenceRunner<SequenceEvent> {

    /*
     * The model, the caches and every sequence belong to the engine thread; other threads reach it through the inbox
     * alone. What they may know is published in volatile fields after each step. A sequence that nobody waits for any
     * more is taken out before the next step, so a client that leaves costs at most one step.
     *
     * A step that takes too long makes the engine hang: the watchdog fails all sequences from outside, since the engine
     * thread cannot, and new ones are refused. The watchdog adds up the time that it has seen a step for itself, so that
     * a pause of the whole process does not count. If the step comes back, the engine goes on; if it does not, it is given
     * up for good: a native call cannot be interrupted, and its device is not to be trusted.
     */

    private static final Logger log = LoggerFactory.getLogger(Engine.class);

    private static final long IDLE = Long.MIN_VALUE;

    private final String name;
    private final EngineSettings settings;
    private final LongSupplier clock;
    private final BlockingQueue<Task> inbox = new LinkedBlockingQueue<>();
    private final Set<Generation> open = ConcurrentHashMap.newKeySet();
    private final AtomicLong arrivals = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong displaced = new AtomicLong();
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final Thread thread;
    private final Disposable watchdog;
    private final long watchPeriod;
    private long watchedStart = IDLE; // this and the next two are the watchdog's
    private long watchedNanos;
    private long lastLook;
    private volatile boolean closed;
    private volatile boolean hanging;
    private volatile @Nullable Throwable failure;
    private volatile long stepStart = IDLE;
    private volatile @Nullable StepLoop loop;
    private volatile EngineStats stats = EngineStats.NONE;

    /** What other threads ask of the engine thread. */
    @FunctionalInterface
    private interface Task {
        void run(StepLoop loop);
    }

    /**
     * Starts the thread, which loads the model first.
     *
     * @param name the name of the model, for the thread and the log
     * @param loader loads the model, on the engine thread
     */
    public Engine(String name, EngineSettings settings, Supplier<LoadedModel> loader) {
        this(name, settings, loader, System::nanoTime, Schedulers.parallel());
    }

    /** @param watch where the watchdog looks after the engine */
    Engine(
            String name,
            EngineSettings settings,
            Supplier<LoadedModel> loader,
            LongSupplier clock,
            reactor.core.scheduler.Scheduler watch) {
        this.name = name;
        this.settings = settings;
        this.clock = clock;
        this.thread = new Thread(() -> run(loader), "engine-" + name);
        this.thread.setDaemon(true);
        this.thread.start();
        this.watchPeriod = Math.max(1_000_000, settings.watchdogTimeout().toNanos() / 4);
        this.watchdog = watch.schedulePeriodically(this::watch, watchPeriod, watchPeriod, TimeUnit.NANOSECONDS);
    }

    @Override
    public CompletableFuture<Void> ready() {
        return ready.copy();
    }

    @Override
    public CompletableFuture<Void> ended() {
        return ended.copy();
    }

    @Override
    public @Nullable Throwable failure() {
        return failure;
    }

    @Override
    public boolean isAlive() {
        return !hanging && failure == null && !ended.isDone() && ready.isDone() && !ready.isCompletedExceptionally();
    }

    @Override
    public int runningSequences() {
        StepLoop current = loop;
        return current == null ? 0 : current.running();
    }

    @Override
    public int waitingSequences() {
        return Math.max(0, open.size() - runningSequences());
    }

    @Override
    public EngineStats stats() {
        return stats.refusing(refused.get(), displaced.get());
    }

    /**
     * Runs a sequence as soon as there is room for it. The stream tells when the prompt has run and then carries the
     * generated tokens, the one that ended the sequence included; cancelling it takes the sequence out before the next
     * step.
     *
     * @return a stream that fails with {@link ErrorType#OVERLOADED} when too many sequences wait, this one has left the
     *     queue for one of higher priority or waited too long, or memory runs out, {@link ErrorType#MODEL_NOT_READY} without a model and {@link ErrorType#INTERNAL}
     *     when its tokens cannot be computed
     */
    @Override
    public Flux<SequenceEvent> generate(SequenceRequest request) {
        return Flux.create(sink -> enter(request, sink), FluxSink.OverflowStrategy.BUFFER);
    }

    /** Lets the running step end, unless that takes too long, fails everything that is under way and frees the model. */
    @Override
    public void close() {
        closed = true;
        watchdog.dispose();
        inbox.add(loop -> {}); // wakes the thread
        thread.interrupt(); // for the loader
        if (!hanging && !ended.isDone()) {
            try {
                thread.join(Math.max(1, settings.closeTimeout().toMillis())); // 0 would be for ever
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        if (thread.isAlive()) {
            log.warn("The engine of {} is closed, but its step goes on until the process ends", name);
        }
        failOpen(notReady());
    }

    private void enter(SequenceRequest request, FluxSink<SequenceEvent> sink) {
        if (!isAlive() || closed) {
            sink.error(notReady());
            return;
        }
        Generation generation = new Generation(request, sink, open, arrivals.getAndIncrement(), deadline(request));
        if (!takePlace(generation)) {
            refused.incrementAndGet();
            sink.error(busy(settings.maxWaitingSequences() + " requests wait already, which is the limit"));
            return;
        }
        sink.onDispose(() -> {
            open.remove(generation);
            inbox.add(loop -> loop.remove(generation));
        });
        inbox.add(loop -> loop.add(generation));
        if ((!isAlive() || closed) && !generation.isAdmitted()) {
            generation.fail(notReady()); // the engine ended or began to hang between the check and the entry
        }
    }

    /**
     * Lets a sequence wait unless too many do and none of them leaves for it; one at a time, so that no two take the last
     * place.
     */
    private boolean takePlace(Generation generation) {
        Generation leaving = null;
        synchronized (open) {
            if (waitingSequences() >= settings.maxWaitingSequences()) {
                leaving = firstToLeave(generation.request().priority());
                if (leaving == null) {
                    return false;
                }
                leaving = open.remove(leaving) ? leaving : null; // or it has just ended, which makes room as well
            }
            open.add(generation);
        }
        if (leaving != null) {
            displaced.incrementAndGet();
            leaving.refuse(busy("this request had to leave the queue for one of higher priority"));
        }
        return true;
    }

    /**
     * The latest sequence of the lowest priority below that one, of those that have not begun and belong to no answer that
     * has; null when there is none.
     */
    private @Nullable Generation firstToLeave(Priority priority) {
        Set<ModelInput> begun = Collections.newSetFromMap(new IdentityHashMap<>());
        for (Generation generation : open) {
            if (generation.isAdmitted()) {
                begun.add(generation.request().input());
            }
        }
        return open.stream()
                .filter(generation -> generation.request().priority().compareTo(priority) < 0
                        && !begun.contains(generation.request().input()))
                .min(Comparator.comparing(
                                (Generation generation) -> generation.request().priority())
                        .thenComparing(generation -> -generation.sequence().arrival()))
                .orElse(null);
    }

    private GenerationException busy(String why) {
        return new GenerationException(
                ErrorType.OVERLOADED, "The model '" + name + "' is busy: " + why + ". Try again later.", null);
    }

    private long deadline(SequenceRequest request) {
        Duration timeout = request.queueTimeout() == null ? settings.queueTimeout() : request.queueTimeout();
        return timeout == null ? Sequence.NO_DEADLINE : clock.getAsLong() + timeout.toNanos();
    }

    private void run(Supplier<LoadedModel> loader) {
        try {
            IdeficsModel.prepareThread();
            LoadedModel loaded = loader.get();
            try (var model = loaded.model()) {
                serve(loaded);
            }
        } catch (Throwable e) {
            die(e);
        } finally {
            end();
        }
    }

    private void serve(LoadedModel loaded) throws InterruptedException {
        try {
            StepLoop steps = new StepLoop(name, loaded, settings, clock);
            loop = steps;
            ready.complete(null);
            while (!closed) {
                work(steps);
            }
        } catch (Throwable e) {
            die(e); // nobody need wait until the model is freed
            throw e;
        }
    }

    private void die(Throwable reason) {
        if (closed || failure != null) {
            log.debug("The engine of {} ends", name, reason);
            return;
        }
        failure = reason;
        if (!ready.completeExceptionally(reason)) {
            log.error("The engine of {} died", name, reason);
        }
        failAll();
    }

    /** Does what was asked for, then one step; waits while there is nothing to do. */
    private void work(StepLoop steps) throws InterruptedException {
        for (Task task = steps.isIdle() ? inbox.take() : inbox.poll(); task != null; task = inbox.poll()) {
            task.run(steps);
        }
        if (!closed && !steps.isIdle()) {
            stepStart = clock.getAsLong();
            boolean worked = steps.step();
            stepStart = IDLE;
            if (hanging) {
                hanging = false;
                log.warn("The engine of {} goes on after a step that hung", name);
            }
            if (!worked && !steps.isIdle()) {
                throw new IllegalStateException("Sequences wait, but there is nothing to do");
            }
        }
        stats = steps.stats();
    }

    private void watch() {
        long start = stepStart;
        if (start == IDLE || ended.isDone()) {
            return;
        }
        long now = clock.getAsLong();
        boolean sameStep = start == watchedStart;
        // Where nobody looked for longer, the whole process stood still, and the step with it.
        watchedNanos = (sameStep ? watchedNanos : 0) + Math.min(now - (sameStep ? lastLook : start), watchPeriod);
        watchedStart = start;
        lastLook = now;
        long nanos = watchedNanos;
        if (!hanging && nanos > settings.watchdogTimeout().toNanos()) {
            hanging = true;
            if (stepStart != start) {
                hanging = false; // it returned before it could know
                return;
            }
            log.error("The engine of {} hangs: a step has taken {} ms. It is at\n{}", name, nanos / 1_000_000, where());
            failOpen(notReady());
        }
        if (nanos > settings.hangTimeout().toNanos() && stepStart == start) {
            giveUp(nanos);
        }
    }

    private void giveUp(long nanos) {
        Throwable reason = failure; // not null if it is the freeing of the model that hangs
        if (reason == null) {
            reason = new DeviceLostException("The engine hangs: a step has taken " + nanos / 1_000_000 + " ms.");
            failure = reason;
        }
        log.error("The engine of {} is given up", name, reason);
        closed = true; // should the step ever come back
        ended.completeExceptionally(reason);
        failOpen(notReady());
    }

    private String where() {
        StringBuilder text = new StringBuilder();
        for (StackTraceElement element : thread.getStackTrace()) {
            text.append("\tat ").append(element).append('\n');
        }
        return text.toString();
    }

    private void end() {
        loop = null;
        failAll();
        inbox.clear();
        Throwable reason = failure;
        if (reason == null) {
            ready.completeExceptionally(notReady());
            ended.complete(null);
        } else {
            ended.completeExceptionally(reason);
        }
    }

    private void failAll() {
        Throwable reason = failure;
        if (reason != null) {
            for (Generation generation : open) {
                if (generation.isAdmitted()) {
                    generation.fail(new GenerationException(ErrorType.INTERNAL, "The engine has died.", null, reason));
                }
            }
        }
        failOpen(notReady());
    }

    private void failOpen(GenerationException error) {
        open.forEach(generation -> generation.fail(error));
    }

    private GenerationException notReady() {
        return new GenerationException(
                ErrorType.MODEL_NOT_READY, "The model '" + name + "' is not ready to answer.", null);
    }
}
