package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.engine.FakeModel.Run;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowingConsumer;
import reactor.core.publisher.Flux;
import reactor.test.scheduler.VirtualTimeScheduler;

/** An engine on a {@link FakeModel} with little memory, whose clock and watchdog a test moves. */
final class EngineBench implements AutoCloseable {

    static final Duration PATIENCE = Duration.ofSeconds(20);

    /** A token that no answer has: a test marks a prompt with it. */
    static final int MARK = 63;

    static final int BLOCK_TOKENS = 16;
    static final Duration WATCHDOG = Duration.ofSeconds(1);
    static final Duration HANG = Duration.ofSeconds(10);

    private static final int[] BANNED = {60, 61, 62, MARK};
    private static final CacheSize CACHES = new CacheSize(48, 4, 3);

    /** An ordinary request of two pictures and some text. */
    static final SequenceRequest CONTROL = pictured(4711, 40, 12, picture(1), picture(2));

    final FakeModel model = new FakeModel();
    final VirtualTimeScheduler time = VirtualTimeScheduler.create();
    final AtomicLong nanos = new AtomicLong();
    /** Run once by the thread that reads the clock next, unless that is the engine. */
    final AtomicReference<Runnable> atClock = new AtomicReference<>();
    /** Run by every thread that reads the clock, unless that is the engine. */
    volatile Runnable beforeClock = () -> {};

    final Engine engine;
    private final CacheSize caches;
    private int everything;

    EngineBench() {
        this(settings(8, 64, 512));
    }

    EngineBench(EngineSettings settings) {
        this(settings, CACHES);
    }

    EngineBench(EngineSettings settings, CacheSize caches) {
        this.caches = caches;
        this.engine = new Engine("bench", settings, () -> new LoadedModel(model, caches), this::clock, time);
        assertThat(engine.ready()).succeedsWithin(PATIENCE);
    }

    /** Settings whose times pass only when a test says so. */
    static EngineSettings settings(int maxBatch, int maxWaiting, int chunkTokens) {
        return new EngineSettings(
                maxBatch, maxWaiting, BLOCK_TOKENS, chunkTokens, 4, 1, null, WATCHDOG, HANG, Duration.ofHours(1));
    }

    static PixelValues picture(int content) {
        return new PixelValues(new float[] {content}, 1);
    }

    /** A random prompt without pictures. */
    static SequenceRequest text(int seed, int length, int maxTokens) {
        return pictured(seed, length, maxTokens);
    }

    /** A random prompt whose tokens see one picture after the other. */
    static SequenceRequest pictured(int seed, int length, int maxTokens, PixelValues... pictures) {
        int[] ids = new Random(seed).ints(length, 0, 60).toArray();
        int[] seen = new int[length];
        Arrays.setAll(seen, token -> token * (pictures.length + 1) / length - 1);
        return request(new ModelInput(ids, seen, List.of(pictures)), maxTokens);
    }

    /** The same prompt with the mark at its end. */
    static SequenceRequest marked(SequenceRequest request) {
        ModelInput input = request.input();
        int[] ids = input.inputIds().clone();
        ids[ids.length - 1] = MARK;
        return request(new ModelInput(ids, input.imageIndex(), input.images()), request.maxTokens());
    }

    static SequenceRequest request(ModelInput input, int maxTokens) {
        return new SequenceRequest(input, SamplingParams.GREEDY, maxTokens, Set.of(), BANNED);
    }

    static SequenceRequest withQueueTimeout(SequenceRequest request, Duration timeout) {
        return new SequenceRequest(
                request.input(),
                request.sampling(),
                request.maxTokens(),
                0,
                request.stopIds(),
                request.bannedIds(),
                SequenceRequest.NO_LOGPROBS,
                "",
                timeout);
    }

    static SequenceRequest withPriority(SequenceRequest request, Priority priority) {
        return new SequenceRequest(
                request.input(),
                request.sampling(),
                request.maxTokens(),
                request.minTokens(),
                request.stopIds(),
                request.bannedIds(),
                request.topLogprobs(),
                request.promptLogprobsFrom(),
                null,
                request.client(),
                priority,
                request.queueTimeout());
    }

    /** A hook that fails the forward passes with a marked row. */
    static Consumer<List<Run>> failMarked(RuntimeException error) {
        return runs -> {
            if (runs.stream().anyMatch(run -> run.has(MARK))) {
                throw error;
            }
        };
    }

    Flux<Integer> tokens(SequenceRequest request) {
        return engine.generate(request).ofType(SequenceEvent.Token.class).map(SequenceEvent.Token::id);
    }

    CompletableFuture<List<Integer>> start(SequenceRequest request) {
        return tokens(request).collectList().toFuture();
    }

    List<CompletableFuture<List<Integer>>> startAll(List<SequenceRequest> requests) {
        return requests.stream().map(this::start).toList();
    }

    /** Starts requests so that they come to the engine between the same two steps. */
    List<CompletableFuture<List<Integer>>> startTogether(List<SequenceRequest> requests) {
        Hold hold = hold();
        List<CompletableFuture<List<Integer>>> answers = startAll(requests);
        hold.release();
        return answers;
    }

    /** Holds the engine in a forward pass of a sequence of its own. */
    Hold hold() {
        CountDownLatch entered = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        Consumer<List<Run>> before = model.beforeForward;
        model.beforeForward = runs -> {
            model.beforeForward = before;
            entered.countDown();
            FakeModel.await(gate);
            before.accept(runs);
        };
        CompletableFuture<List<Integer>> held = start(text(999, 3, 1));
        FakeModel.await(entered);
        return new Hold(gate, held);
    }

    /** Lets time pass, and the watchdog look after the engine as often as it does. */
    void pass(Duration duration) {
        Duration look = WATCHDOG.dividedBy(4);
        for (Duration left = duration; left.compareTo(Duration.ZERO) > 0; left = left.minus(look)) {
            nanos.addAndGet(Math.min(left.toNanos(), look.toNanos()));
            time.advanceTimeBy(look);
        }
    }

    void awaitIdle() {
        await().atMost(PATIENCE).untilAsserted(() -> {
            EngineStats stats = engine.stats();
            assertThat(engine.runningSequences()).as("running").isZero();
            assertThat(engine.waitingSequences()).as("waiting").isZero();
            assertThat(stats.usedBlocks()).as("used blocks").isZero();
            assertThat(stats.cachedBlocks() + stats.freeBlocks())
                    .as("free and idle blocks")
                    .isEqualTo(caches.blocks());
        });
    }

    /** The engine idles, has lost no block and no slot, and answers as before. */
    void assertSound() {
        awaitIdle();
        assertAnswers(start(CONTROL), CONTROL);
        SequenceRequest needsAllMemory = everything();
        assertAnswers(start(needsAllMemory), needsAllMemory);
        awaitIdle();
        assertThat(engine.isAlive()).isTrue();
        assertThat(engine.failure()).isNull();
    }

    static void assertAnswers(CompletableFuture<List<Integer>> answer, SequenceRequest request) {
        assertThat(answer).succeedsWithin(PATIENCE).isEqualTo(FakeModel.answer(request));
    }

    static void assertAnswer(
            List<CompletableFuture<List<Integer>>> answers, List<SequenceRequest> requests, Set<Integer> without) {
        for (int i = 0; i < requests.size(); i++) {
            if (!without.contains(i)) {
                assertAnswers(answers.get(i), requests.get(i));
            }
        }
    }

    static void assertFails(CompletableFuture<?> answer, ErrorType type) {
        assertFails(answer, error -> assertThat(error)
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(type)));
    }

    static void assertFails(CompletableFuture<?> answer, ThrowingConsumer<Throwable> requirements) {
        assertThat(answer)
                .failsWithin(PATIENCE)
                .withThrowableOfType(ExecutionException.class)
                .havingCause()
                .satisfies(requirements);
    }

    @Override
    public void close() {
        engine.close();
        time.dispose();
    }

    /** A request that fits only if it can have all blocks and all image slots. */
    private SequenceRequest everything() {
        PixelValues[] pictures = new PixelValues[caches.imageSlots()];
        Arrays.setAll(pictures, i -> picture(1000 + 100 * everything + i));
        everything++;
        int tokens = caches.blocks() * BLOCK_TOKENS;
        return pictured(5000 + everything, tokens - 40, 40, pictures);
    }

    private long clock() {
        if (!Thread.currentThread().getName().startsWith("engine-")) {
            beforeClock.run();
            Runnable task = atClock.getAndSet(null);
            if (task != null) {
                task.run();
            }
        }
        return nanos.get();
    }

    /** An engine that is held in a step. */
    record Hold(CountDownLatch gate, CompletableFuture<List<Integer>> held) {

        void release() {
            gate.countDown();
        }
    }

    /** Several requests of different lengths that all find a place at once. */
    static List<SequenceRequest> texts(int count, int maxTokens) {
        List<SequenceRequest> requests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            requests.add(text(i, 4 + 6 * i, maxTokens));
        }
        return requests;
    }

    /** Several requests of different lengths, with pictures and without, that run side by side. */
    static List<SequenceRequest> mixed(int count, int maxTokens) {
        List<SequenceRequest> requests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            requests.add(
                    i % 3 == 1
                            ? pictured(i, 10 + 5 * i, maxTokens, picture(i % 2 + 1))
                            : text(i, 4 + 6 * i, maxTokens));
        }
        return requests;
    }
}
