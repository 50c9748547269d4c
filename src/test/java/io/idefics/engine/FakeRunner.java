package io.idefics.engine;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Sinks;

/** A runner that does what a test says: it is loaded when told, and keeps its sequences open until it fails. */
final class FakeRunner implements SequenceRunner<String> {

    final int replica;
    final List<SequenceRequest> requests = new ArrayList<>();
    EngineStats stats = EngineStats.NONE;
    int running;
    int waiting;
    boolean hangs;
    int closed;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final Sinks.Many<String> output = Sinks.many().multicast().directBestEffort();
    private @Nullable Throwable failure;

    FakeRunner(int replica) {
        this.replica = replica;
    }

    void load() {
        ready.complete(null);
    }

    void fail(Throwable error) {
        failure = error;
        output.tryEmitError(new GenerationException(ErrorType.INTERNAL, "The engine has died.", null, error));
        ready.completeExceptionally(error);
        ended.completeExceptionally(error);
    }

    @Override
    public Flux<String> generate(SequenceRequest request) {
        return Flux.defer(() -> {
            requests.add(request);
            return Flux.concat(Flux.just("from " + replica), output.asFlux());
        });
    }

    @Override
    public CompletableFuture<Void> ready() {
        return ready;
    }

    @Override
    public CompletableFuture<Void> ended() {
        return ended;
    }

    @Override
    public @Nullable Throwable failure() {
        return failure;
    }

    @Override
    public boolean isAlive() {
        return ready.isDone() && !ended.isDone() && !hangs;
    }

    @Override
    public int runningSequences() {
        return running;
    }

    @Override
    public int waitingSequences() {
        return waiting;
    }

    @Override
    public EngineStats stats() {
        return stats;
    }

    @Override
    public void close() {
        closed++;
        ended.complete(null);
    }
}
