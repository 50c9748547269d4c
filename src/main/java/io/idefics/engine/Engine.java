package io.idefics.engine;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.model.IdeficsModel;
import io.idefics.model.Step;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.FluxSink;

/**
 * Runs sequences on one model: one thread that owns the model, loads it, takes waiting sequences in turn and closes it.
 * It knows token ids only, never text.
 */
public final class Engine implements SequenceRunner<Integer> {

    /*
     * The model, the caches and the sequence that is running belong to the engine thread; other threads reach it through
     * the queue alone. A sequence that nobody waits for any more is dropped before its next step, so a client that leaves
     * costs at most one step. A step that fails ends its own sequence and no other. An Error that is not the fault of one
     * sequence ends the thread: everything that waits fails, and so does everything that comes later.
     */

    private static final Logger log = LoggerFactory.getLogger(Engine.class);

    private final String name;
    private final EngineProperties properties;
    private final BlockingQueue<Answer> waiting;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();
    private final CompletableFuture<Void> endOfThread = new CompletableFuture<>();
    private final Thread thread;
    private volatile int running;
    private volatile boolean closed;
    private volatile boolean ended;
    private volatile @Nullable Throwable failure;

    /**
     * Starts the thread, which loads the model first.
     *
     * @param name the name of the model, for the thread and the log
     * @param loader loads the model, on the engine thread
     */
    public Engine(String name, EngineProperties properties, Supplier<IdeficsModel> loader) {
        this.name = name;
        this.properties = properties;
        this.waiting = new LinkedBlockingQueue<>(properties.maxWaitingSequences());
        this.thread = new Thread(() -> run(loader), "engine-" + name);
        this.thread.setDaemon(true);
        this.thread.start();
    }

    @Override
    public CompletableFuture<Void> ready() {
        return ready.copy();
    }

    @Override
    public CompletableFuture<Void> ended() {
        return endOfThread.copy();
    }

    @Override
    public @Nullable Throwable failure() {
        return failure;
    }

    @Override
    public boolean isAlive() {
        return !ended && ready.isDone() && !ready.isCompletedExceptionally();
    }

    @Override
    public int runningSequences() {
        return running;
    }

    @Override
    public int waitingSequences() {
        return waiting.size();
    }

    /**
     * Runs a sequence when its turn comes. The stream carries the generated tokens, the one that ended the sequence
     * included; cancelling it stops the sequence before its next step.
     *
     * @return a stream that fails with {@link ErrorType#OVERLOADED} when too many sequences wait,
     *     {@link ErrorType#MODEL_NOT_READY} without a model and {@link ErrorType#INTERNAL} when a step fails
     */
    @Override
    public Flux<Integer> generate(SequenceRequest request) {
        return Flux.create(
                sink -> {
                    Answer sequence = new Answer(request, sink);
                    sink.onCancel(() -> waiting.remove(sequence)); // its place is free for others at once
                    enqueue(sequence);
                },
                FluxSink.OverflowStrategy.BUFFER);
    }

    /** Lets the running step end, fails everything that waits and frees the model. */
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        try {
            thread.join(properties.closeTimeout().toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void enqueue(Answer sequence) {
        if (!isAlive() || closed) {
            sequence.fail(notReady());
        } else if (!waiting.offer(sequence)) {
            sequence.fail(new GenerationException(
                    ErrorType.OVERLOADED,
                    "The model '" + name + "' is busy: " + properties.maxWaitingSequences()
                            + " requests wait already, which is the limit. Try again later.",
                    null));
        } else if (ended) {
            failWaiting(notReady()); // the thread ended between the check and the offer
        }
    }

    private void run(Supplier<IdeficsModel> loader) {
        try {
            IdeficsModel.prepareThread();
            try (IdeficsModel model = loader.get()) {
                ready.complete(null);
                while (!closed) {
                    run(waiting.take(), model);
                }
            }
        } catch (InterruptedException e) {
            log.debug("The engine of {} ends", name);
        } catch (Throwable e) {
            failure = e;
            if (!ready.completeExceptionally(e)) {
                log.error("The engine of {} died", name, e);
            }
        } finally {
            ended = true;
            failWaiting(notReady());
            Throwable reason = failure;
            if (reason == null) {
                endOfThread.complete(null);
            } else {
                endOfThread.completeExceptionally(reason);
            }
        }
    }

    private void run(Answer sequence, IdeficsModel model) {
        if (sequence.isDone()) {
            return;
        }
        try {
            running = 1;
            generate(sequence, model);
        } catch (RuntimeException | OutOfMemoryError | StackOverflowError e) {
            log.error("A sequence failed on {}", name, e);
            sequence.fail(
                    new GenerationException(ErrorType.INTERNAL, "The model failed to compute an answer.", null, e));
        } catch (Throwable e) {
            sequence.fail(new GenerationException(ErrorType.INTERNAL, "The engine has died.", null, e));
            throw e;
        } finally {
            running = 0;
        }
    }

    private void generate(Answer sequence, IdeficsModel model) {
        var input = sequence.request().input();
        int length = input.inputIds().length;
        int[] slots = IntStream.range(0, input.images().size()).toArray();
        model.allocate(length + sequence.request().maxTokens(), Math.max(1, slots.length), Math.max(1, slots.length));
        if (slots.length > 0) {
            model.beginEncoding(input.images());
            model.advanceEncoding(model.encodingLayers());
            model.endEncoding(slots);
            model.projectImages(slots, slots);
        }
        float[] logits = null;
        for (int start = 0; start < length; start += properties.prefillChunkTokens()) {
            if (closed || sequence.isDone()) {
                break;
            }
            int end = Math.min(start + properties.prefillChunkTokens(), length);
            logits = forward(
                    model,
                    Arrays.copyOfRange(input.inputIds(), start, end),
                    start,
                    Arrays.copyOfRange(input.imageIndex(), start, end));
        }
        // Generated tokens see the image that the last token of the prompt saw.
        int[] imageIndex = {input.imageIndex()[length - 1]};
        for (int past = length; logits != null && !closed && !sequence.isDone(); past++) {
            int id = sequence.append(logits);
            logits = sequence.isDone() ? null : forward(model, new int[] {id}, past, imageIndex);
        }
        if (closed && !sequence.isDone()) {
            sequence.fail(notReady());
        }
    }

    private static float[] forward(IdeficsModel model, int[] ids, int past, int[] imageSlots) {
        return model.forward(
                        new Step(List.of(new Step.Row(ids, past, new int[] {0, past + ids.length}, imageSlots, 1))))[0];
    }

    private void failWaiting(GenerationException error) {
        for (Answer sequence = waiting.poll(); sequence != null; sequence = waiting.poll()) {
            sequence.fail(error);
        }
    }

    private GenerationException notReady() {
        return new GenerationException(
                ErrorType.MODEL_NOT_READY, "The model '" + name + "' is not ready to answer.", null);
    }

    /** A sequence in the hands of the engine: its request, its sampler and the way out for its tokens. */
    private static final class Answer {

        private final SequenceRequest request;
        private final FluxSink<Integer> tokens;
        private final Sampler sampler;
        private int generated;
        private boolean finished;

        Answer(SequenceRequest request, FluxSink<Integer> tokens) {
            this.request = request;
            this.tokens = tokens;
            this.sampler = new Sampler(request.sampling(), request.input().inputIds(), request.bannedIds());
        }

        SequenceRequest request() {
            return request;
        }

        /** Whether no more tokens are due: the last one ended the sequence, or nobody waits for them any more. */
        boolean isDone() {
            return finished || tokens.isCancelled();
        }

        /**
         * Chooses the next token and hands it out.
         *
         * @return the token
         */
        int append(float[] logits) {
            int id = sampler.next(logits);
            generated++;
            tokens.next(id);
            if (request.stopIds().contains(id) || generated >= request.maxTokens()) {
                finished = true;
                tokens.complete();
            }
            return id;
        }

        void fail(Throwable error) {
            finished = true;
            if (!tokens.isCancelled()) {
                tokens.error(error);
            }
        }
    }
}
