package io.idefics.engine;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.model.ModelInput;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Scheduler;

/**
 * The replicas of one model: shares the sequences out among them, and builds those anew that fail.
 *
 * @param <T> what a sequence gives out
 */
public final class EnginePool<T> implements AutoCloseable {

    /*
     * One worker owns the life of the replicas: whatever happens to one (it is ready, it has ended, its delay is over)
     * is a task of that worker, so no two changes meet, and nothing there waits. What others may see of a replica is one
     * immutable Life behind a volatile field that the worker alone writes.
     *
     * Routing runs on the thread of the subscriber. It reads lives, and keeps what it remembers under a lock that is
     * held for some look-ups only. It may choose a replica that ends at the same moment; that one then refuses the
     * sequence itself. A replica that failed has lost its cache, so what was remembered of it is forgotten.
     *
     * A replica that was never ready is not tried again: what is wrong with a checkpoint or with the memory stays wrong.
     * Restarts are counted by timers that take each one back when it has left the window, so no clock is read.
     */

    private static final Logger log = LoggerFactory.getLogger(EnginePool.class);
    private static final Duration OWNER_PATIENCE = Duration.ofSeconds(10);

    /**
     * Starts the runner of a replica.
     *
     * @param <T> what a sequence gives out
     */
    @FunctionalInterface
    public interface RunnerFactory<T> {

        /** Begins to load the replica of that index and returns at once. */
        SequenceRunner<T> start(int replica);
    }

    private final String name;
    private final PoolProperties properties;
    private final RunnerFactory<T> factory;
    private final List<Replica<T>> replicas;
    private final Scheduler.Worker owner;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final PrefixAffinity affinity; // guarded by itself
    private int lastChosen; // guarded by affinity
    private volatile boolean closed;

    /**
     * Starts all replicas.
     *
     * @param name the name of the model, for messages
     * @param placements for each replica the devices that it runs on
     * @param scheduler where the life of the replicas is looked after; nothing waits there
     */
    public EnginePool(
            String name,
            PoolProperties properties,
            List<List<String>> placements,
            RunnerFactory<T> factory,
            Scheduler scheduler) {
        this.name = name;
        this.properties = properties;
        this.factory = factory;
        this.affinity = new PrefixAffinity(properties.affinityBlocks());
        this.owner = scheduler.createWorker();
        List<Replica<T>> all = new ArrayList<>();
        for (List<String> devices : placements) {
            all.add(new Replica<>(all.size(), List.copyOf(devices)));
        }
        this.replicas = List.copyOf(all);
        this.lastChosen = all.size() - 1;
        replicas.forEach(replica -> own(() -> start(replica)));
    }

    /**
     * Runs a sequence on the replica that has most of its prompt in its cache, or on the least busy one if that is too
     * busy or none has. Further choices of a request, which have the same {@link ModelInput}, follow the first.
     *
     * @return the stream of that replica; fails with {@link ErrorType#MODEL_NOT_READY} when none is ready
     */
    public Flux<T> generate(SequenceRequest request) {
        return Flux.defer(() -> {
            SequenceRunner<T> runner = route(request.input());
            return runner == null ? Flux.error(notReady()) : runner.generate(request);
        });
    }

    /** Completes when the first replica is ready; fails with a reason when all of them have failed. */
    public CompletableFuture<Void> ready() {
        return ready.copy();
    }

    /** Ready when a replica is, failed when all are. */
    public ReplicaState state() {
        boolean restarting = false;
        boolean loading = false;
        for (Replica<T> replica : replicas) {
            switch (replica.state()) {
                case READY -> {
                    return ReplicaState.READY;
                }
                case RESTARTING -> restarting = true;
                case LOADING -> loading = true;
                case FAILED -> {}
            }
        }
        if (restarting) {
            return ReplicaState.RESTARTING;
        }
        return loading ? ReplicaState.LOADING : ReplicaState.FAILED;
    }

    /** Why the model cannot be served; null unless every replica has failed. */
    public @Nullable Throwable failure() {
        return state() == ReplicaState.FAILED ? replicas.get(0).life.failure() : null;
    }

    /** Whether the model was ready and every replica has failed since, which only a new process cures. */
    public boolean hasDied() {
        return state() == ReplicaState.FAILED && replicas.stream().anyMatch(replica -> replica.life.wasReady());
    }

    /** The replicas as they are now. */
    public List<ReplicaStatus> replicas() {
        return replicas.stream().map(Replica::status).toList();
    }

    /** One replica as it is now. */
    public ReplicaStatus replica(int index) {
        return replicas.get(index).status();
    }

    /** The number of sequences that run, on all replicas. */
    public int runningSequences() {
        return replicas.stream().mapToInt(Replica::running).sum();
    }

    /** The number of sequences that wait, on all replicas. */
    public int waitingSequences() {
        return replicas.stream().mapToInt(Replica::waiting).sum();
    }

    /** Closes all replicas at the same time and starts none any more. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        CompletableFuture<Void> idle = new CompletableFuture<>();
        if (!own(() -> idle.complete(null))) { // a start that is under way ends before this
            idle.complete(null);
        }
        idle.completeOnTimeout(null, OWNER_PATIENCE.toMillis(), TimeUnit.MILLISECONDS)
                .join();
        owner.dispose();
        List<Thread> closing = new ArrayList<>();
        for (Replica<T> replica : replicas) {
            SequenceRunner<T> runner = replica.life.runner();
            if (runner != null) {
                Thread thread = new Thread(runner::close, "close-" + name + "-" + replica.index);
                thread.start();
                closing.add(thread);
            }
        }
        closing.forEach(EnginePool::join);
        ready.completeExceptionally(notReady());
    }

    private @Nullable SequenceRunner<T> route(ModelInput input) {
        if (closed) {
            return null;
        }
        if (replicas.size() == 1) {
            return replicas.get(0).readyRunner();
        }
        long[] keys = PrefixAffinity.keys(input);
        synchronized (affinity) {
            Candidates<T> candidates = new Candidates<>(replicas, lastChosen);
            if (candidates.isEmpty()) {
                return null;
            }
            int chosen = choose(input, keys, candidates);
            lastChosen = chosen;
            affinity.record(input, keys, chosen);
            return candidates.runner(chosen);
        }
    }

    private int choose(ModelInput input, long[] keys, Candidates<T> candidates) {
        Integer sameRequest = affinity.replicaOf(input);
        if (sameRequest != null && candidates.has(sameRequest)) {
            return sameRequest;
        }
        int leastBusy = candidates.leastBusy();
        int bound = candidates.load(leastBusy) + properties.maxAffinityLead();
        Integer affine = affinity.longestMatch(keys, candidates::has);
        return affine != null && candidates.load(affine) <= bound ? affine : leastBusy;
    }

    /** Runs a task on the owner; after closing, when nothing is left to own, not at all. Tells whether it will run. */
    private boolean own(Runnable task) {
        try {
            owner.schedule(task);
            return true;
        } catch (RejectedExecutionException e) {
            log.debug("The pool of {} is closed", name);
            return false;
        }
    }

    private void ownLater(Runnable task, Duration delay) {
        owner.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void start(Replica<T> replica) {
        if (closed) {
            return;
        }
        SequenceRunner<T> runner;
        try {
            runner = factory.start(replica.index);
        } catch (RuntimeException | Error e) {
            fail(replica, e);
            return;
        }
        replica.life = replica.life.with(runner);
        runner.ready().thenRun(() -> own(() -> onReady(replica, runner)));
        runner.ended().whenComplete((ended, error) -> own(() -> onEnded(replica, runner, error)));
    }

    private void onReady(Replica<T> replica, SequenceRunner<T> runner) {
        if (replica.life.runner() != runner) {
            return;
        }
        if (replica.life.wasReady()) {
            log.info("Replica {} of {} is back", replica.index, name);
        }
        replica.life = replica.life.ready();
        ready.complete(null);
    }

    private void onEnded(Replica<T> replica, SequenceRunner<T> runner, @Nullable Throwable error) {
        if (replica.life.runner() != runner || closed) {
            return;
        }
        synchronized (affinity) {
            affinity.forget(replica.index);
        }
        runner.close();
        Throwable reason = error == null ? new IllegalStateException("The engine has ended.") : unwrapped(error);
        replica.life = replica.life.without(runner);
        fail(replica, reason);
    }

    private void fail(Replica<T> replica, Throwable error) {
        Life<T> life = replica.life;
        String wayOut;
        if (!life.wasReady()) {
            wayOut = "it cannot be loaded";
        } else if (DeviceLostException.isCauseOf(error)) {
            wayOut = "its device is lost until the process is restarted";
        } else if (replica.recentRestarts >= properties.maxRestarts()) {
            wayOut = "it was restarted " + properties.maxRestarts() + " times within " + properties.restartWindow();
        } else {
            restartLater(replica, error);
            return;
        }
        if (life.wasReady()
                || replicas.size() > 1) { // otherwise the whole model cannot be loaded, which is told elsewhere
            log.error("Replica {} of {} stays out, {}: {}", replica.index, name, wayOut, error.toString());
        }
        replica.life = life.failed(error);
        if (state() == ReplicaState.FAILED) {
            ready.completeExceptionally(error);
        }
    }

    private void restartLater(Replica<T> replica, Throwable error) {
        Duration delay = properties.delay(replica.recentRestarts);
        log.warn("Replica {} of {} is built anew in {}: {}", replica.index, name, delay, error.toString());
        replica.recentRestarts++;
        replica.life = replica.life.restarting(error);
        ownLater(() -> replica.recentRestarts--, properties.restartWindow());
        ownLater(() -> start(replica), delay);
    }

    private GenerationException notReady() {
        return new GenerationException(
                ErrorType.MODEL_NOT_READY, "The model '" + name + "' is not ready to answer.", null);
    }

    private static Throwable unwrapped(Throwable error) {
        Throwable cause = error.getCause();
        return error instanceof CompletionException && cause != null ? cause : error;
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * A replica at one moment.
     *
     * @param runner null between two of them
     * @param wasReady whether it was ready once
     * @param failure why it is not ready, if it failed
     * @param past what the runners before this one counted
     */
    private record Life<T>(
            ReplicaState state,
            @Nullable SequenceRunner<T> runner,
            boolean wasReady,
            int restarts,
            @Nullable Throwable failure,
            EngineStats past) {

        Life<T> with(SequenceRunner<T> next) {
            return new Life<>(state, next, wasReady, restarts, failure, past);
        }

        Life<T> without(SequenceRunner<T> ended) {
            return new Life<>(
                    state, null, wasReady, restarts, failure, ended.stats().after(past));
        }

        Life<T> ready() {
            return new Life<>(ReplicaState.READY, runner, true, restarts, null, past);
        }

        Life<T> restarting(Throwable error) {
            return new Life<>(ReplicaState.RESTARTING, runner, wasReady, restarts + 1, error, past);
        }

        Life<T> failed(Throwable error) {
            return new Life<>(ReplicaState.FAILED, runner, wasReady, restarts, error, past);
        }
    }

    /** A place in the pool, and what lives there. */
    private static final class Replica<T> {

        private final int index;
        private final List<String> devices;
        private volatile Life<T> life =
                new Life<>(ReplicaState.LOADING, null, false, 0, null, EngineStats.NONE); // written by the owner
        private int recentRestarts; // the owner's

        Replica(int index, List<String> devices) {
            this.index = index;
            this.devices = devices;
        }

        /** The runner, null unless it takes sequences. */
        @Nullable
        SequenceRunner<T> readyRunner() {
            Life<T> now = life;
            SequenceRunner<T> runner = now.runner();
            return now.state() == ReplicaState.READY && runner != null && runner.isAlive() ? runner : null;
        }

        ReplicaState state() {
            ReplicaState state = life.state();
            return state == ReplicaState.READY && readyRunner() == null ? ReplicaState.RESTARTING : state;
        }

        int running() {
            SequenceRunner<T> runner = life.runner();
            return runner == null ? 0 : runner.runningSequences();
        }

        int waiting() {
            SequenceRunner<T> runner = life.runner();
            return runner == null ? 0 : runner.waitingSequences();
        }

        ReplicaStatus status() {
            Life<T> now = life;
            SequenceRunner<T> runner = now.runner();
            Throwable failure = now.failure();
            return new ReplicaStatus(
                    index,
                    devices,
                    state(),
                    runner == null ? 0 : runner.runningSequences(),
                    runner == null ? 0 : runner.waitingSequences(),
                    now.restarts(),
                    (runner == null ? EngineStats.NONE : runner.stats()).after(now.past()),
                    failure == null ? null : String.valueOf(failure.getMessage()));
        }
    }

    /** The replicas that take sequences at the moment of one choice, and how busy each is. */
    private static final class Candidates<T> {

        private final List<@Nullable SequenceRunner<T>> runners = new ArrayList<>();
        private final int[] loads;
        private final int first;

        /** @param last the replica that was chosen before; of equally busy ones the next after it is taken */
        Candidates(List<Replica<T>> replicas, int last) {
            this.loads = new int[replicas.size()];
            this.first = (last + 1) % replicas.size();
            for (Replica<T> replica : replicas) {
                SequenceRunner<T> runner = replica.readyRunner();
                runners.add(runner);
                if (runner != null) {
                    loads[replica.index] = runner.runningSequences() + runner.waitingSequences();
                }
            }
        }

        boolean isEmpty() {
            return runners.stream().allMatch(runner -> runner == null);
        }

        boolean has(int replica) {
            return runners.get(replica) != null;
        }

        @Nullable
        SequenceRunner<T> runner(int replica) {
            return runners.get(replica);
        }

        int load(int replica) {
            return loads[replica];
        }

        int leastBusy() {
            int best = -1;
            for (int i = 0; i < loads.length; i++) {
                int replica = (first + i) % loads.length;
                if (has(replica) && (best < 0 || loads[replica] < loads[best])) {
                    best = replica;
                }
            }
            return best;
        }
    }
}
