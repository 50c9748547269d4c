package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.Disposable;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.test.StepVerifier;

class EngineTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final SequenceRequest REQUEST = TinyModel.golden().request();
    private static final List<Integer> TOKENS = TinyModel.golden().tokens();

    private static Engine shared;

    @BeforeAll
    static void start() {
        shared = engine("shared", 8, 512);
    }

    @AfterAll
    static void stop() {
        shared.close();
    }

    static List<TinyModel.Golden> goldens() {
        return TinyModel.goldens();
    }

    @ParameterizedTest
    @MethodSource("goldens")
    void generate_goldenPrompt_givesGoldenTokens(TinyModel.Golden golden) {
        assertThat(answer(shared, golden.request())).isEqualTo(golden.tokens());
    }

    @ParameterizedTest
    @MethodSource("goldens")
    void generate_promptInSmallChunks_givesGoldenTokens(TinyModel.Golden golden) {
        try (Engine engine = engine("chunks", 8, 16)) {
            assertThat(golden.request().input().inputIds().length % 16).isNotZero();
            assertThat(answer(engine, golden.request())).isEqualTo(golden.tokens());
        }
    }

    @Test
    void goldens_unpaddedOnes_areAll() {
        assertThat(goldens()).hasSize(6);
        assertThat(goldens()).anyMatch(golden -> golden.request().input().inputIds().length > 32);
    }

    @Test
    void generate_manyAtOnce_answersEach() {
        List<List<Integer>> answers = Flux.fromIterable(goldens())
                .flatMapSequential(golden -> tokens(shared, golden.request()).collectList())
                .collectList()
                .block(PATIENCE);

        assertThat(answers)
                .isEqualTo(goldens().stream().map(TinyModel.Golden::tokens).toList());
    }

    @Test
    void generate_sameSeed_givesSameTokens() {
        assertThat(answer(shared, sampled(7))).isEqualTo(answer(shared, sampled(7)));
        assertThat(answer(shared, sampled(7))).isNotEqualTo(answer(shared, sampled(8)));
    }

    @Test
    void generate_notSubscribed_doesNothing() {
        CountingSet steps = new CountingSet(REQUEST.stopIds());

        shared.generate(withStopIds(steps));
        answer(shared, REQUEST);

        assertThat(steps.asked).hasValue(0);
    }

    @Test
    void generate_cancelledAtThirdToken_stopsWithinThatStep() {
        CountingSet steps = new CountingSet(REQUEST.stopIds());

        List<Integer> taken =
                tokens(shared, withStopIds(steps)).take(3).collectList().block(PATIENCE);
        List<Integer> next = answer(shared, REQUEST);

        assertThat(taken).isEqualTo(TOKENS.subList(0, 3));
        assertThat(steps.asked).hasValueLessThanOrEqualTo(3);
        assertThat(next).isEqualTo(TOKENS);
    }

    @Test
    void generate_cancelledFromOutside_stopsWithinOneStep() throws InterruptedException {
        CountingSet steps = new CountingSet(REQUEST.stopIds());
        Held held = new Held();
        Disposable running = held.hold(shared, withStopIds(steps));

        running.dispose();
        held.release();
        List<Integer> next = answer(shared, REQUEST);

        assertThat(steps.asked).hasValue(1);
        assertThat(next).isEqualTo(TOKENS);
    }

    @Test
    void generate_cancelledWhileWaiting_neverRuns() throws InterruptedException {
        CountingSet steps = new CountingSet(REQUEST.stopIds());
        Held held = new Held();
        held.hold(shared, REQUEST);

        Disposable waiting = shared.generate(withStopIds(steps)).subscribe();
        assertThat(shared.waitingSequences()).isEqualTo(1);
        waiting.dispose();
        assertThat(shared.waitingSequences()).isZero();
        held.release();

        assertThat(answer(shared, REQUEST)).isEqualTo(TOKENS);
        assertThat(steps.asked).hasValue(0);
    }

    @Test
    void generate_tooManyWaiting_isOverloaded() throws InterruptedException {
        try (Engine engine = engine("small", 1, 512)) {
            Held held = new Held();
            held.hold(engine, REQUEST);
            CompletableFuture<List<Integer>> second =
                    tokens(engine, REQUEST).collectList().toFuture();

            StepVerifier.create(engine.generate(REQUEST))
                    .expectErrorSatisfies(error -> {
                        assertType(error, ErrorType.OVERLOADED);
                        assertThat(error).hasMessageContaining("1 requests wait already");
                    })
                    .verify(PATIENCE);

            held.release();
            assertThat(second).succeedsWithin(PATIENCE).isEqualTo(TOKENS);
            assertThat(answer(engine, REQUEST)).isEqualTo(TOKENS);
        }
    }

    @Test
    void generate_tokenBeyondVocabulary_failsAlone() throws InterruptedException {
        int[] ids = REQUEST.input().inputIds().clone();
        ids[ids.length - 1] = 1_000_000;
        Held held = new Held();
        held.hold(shared, REQUEST);
        CompletableFuture<List<Integer>> broken =
                tokens(shared, withIds(ids)).collectList().toFuture();
        CompletableFuture<List<Integer>> sound =
                tokens(shared, REQUEST).collectList().toFuture();
        held.release();

        assertThat(broken)
                .failsWithin(PATIENCE)
                .withThrowableThat()
                .havingCause()
                .satisfies(error -> assertType(error, ErrorType.INTERNAL));
        assertThat(sound).succeedsWithin(PATIENCE).isEqualTo(TOKENS);
        assertThat(shared.isAlive()).isTrue();
        assertThat(shared.failure()).isNull();
    }

    @Test
    void ready_loaderFails_failsWithItsReason() {
        IllegalStateException reason = new IllegalStateException("no weights");
        try (Engine engine = new Engine("broken", settings(8, 512), () -> {
            throw reason;
        })) {
            assertThatThrownBy(() -> engine.ready().get(20, TimeUnit.SECONDS)).hasRootCause(reason);

            assertThat(engine.failure()).isSameAs(reason);
            assertThat(engine.isAlive()).isFalse();
            assertFails(engine.generate(REQUEST), ErrorType.MODEL_NOT_READY);
        }
    }

    @Test
    void generate_whileLoading_isNotReady() {
        CountDownLatch loading = new CountDownLatch(1);
        try (Engine engine = new Engine("loading", settings(8, 512), () -> {
            await(loading);
            return TinyModel.load();
        })) {
            assertThat(engine.isAlive()).isFalse();
            assertFails(engine.generate(REQUEST), ErrorType.MODEL_NOT_READY);

            loading.countDown();
            assertThat(engine.ready()).succeedsWithin(PATIENCE);
            assertThat(engine.isAlive()).isTrue();
        }
    }

    @Test
    void close_sequencesRunningAndWaiting_failsThemAndEndsTheThread() throws InterruptedException {
        Engine engine = engine("closing", 8, 512);
        CompletableFuture<List<Integer>> running = new CompletableFuture<>();
        Held held = new Held();
        held.hold(engine, REQUEST, running);
        CompletableFuture<List<Integer>> waiting =
                tokens(engine, REQUEST).collectList().toFuture();

        engine.close(); // interrupts, which lets the held sequence go on

        assertThat(running)
                .failsWithin(PATIENCE)
                .withThrowableThat()
                .havingCause()
                .satisfies(error -> assertType(error, ErrorType.MODEL_NOT_READY));
        assertThat(waiting)
                .failsWithin(PATIENCE)
                .withThrowableThat()
                .havingCause()
                .satisfies(error -> assertType(error, ErrorType.MODEL_NOT_READY));
        assertThat(threads()).doesNotContain("engine-closing");
        assertFails(engine.generate(REQUEST), ErrorType.MODEL_NOT_READY);
    }

    @Test
    void generate_engineDies_failsWhatWaitsAndTellsWhy() throws InterruptedException {
        try (Engine engine = engine("dying", 8, 512)) {
            LinkageError fatal = new LinkageError("not the fault of a sequence");
            CountDownLatch started = new CountDownLatch(1);
            CountDownLatch die = new CountDownLatch(1);
            tokens(engine, REQUEST).subscribe(new BaseSubscriber<>() {
                @Override
                protected void hookOnNext(Integer token) {
                    started.countDown();
                    await(die);
                    throw fatal;
                }
            });
            assertThat(started.await(20, TimeUnit.SECONDS)).isTrue();
            CompletableFuture<List<Integer>> waiting =
                    tokens(engine, REQUEST).collectList().toFuture();
            die.countDown();

            assertThat(waiting)
                    .failsWithin(PATIENCE)
                    .withThrowableThat()
                    .havingCause()
                    .satisfies(error -> assertType(error, ErrorType.MODEL_NOT_READY));
            assertThat(engine.failure()).isSameAs(fatal);
            assertThat(engine.isAlive()).isFalse();
            assertFails(engine.generate(REQUEST), ErrorType.MODEL_NOT_READY);
        }
    }

    private static Engine engine(String name, int maxWaiting, int chunkTokens) {
        Engine engine = new Engine(name, settings(maxWaiting, chunkTokens), TinyModel::load);
        assertThat(engine.ready()).succeedsWithin(PATIENCE);
        return engine;
    }

    private static EngineSettings settings(int maxWaiting, int chunkTokens) {
        return TinyModel.settings(4, maxWaiting, chunkTokens);
    }

    private static List<Integer> answer(Engine engine, SequenceRequest request) {
        return tokens(engine, request).collectList().block(PATIENCE);
    }

    private static Flux<Integer> tokens(Engine engine, SequenceRequest request) {
        return engine.generate(request).ofType(SequenceEvent.Token.class).map(SequenceEvent.Token::id);
    }

    private static SequenceRequest sampled(long seed) {
        return new SequenceRequest(
                REQUEST.input(),
                new SamplingParams(1.5, 1, 0, 0, 1, 1, 0, 0, Map.of(), OptionalLong.of(seed)),
                12,
                REQUEST.stopIds(),
                REQUEST.bannedIds());
    }

    private static SequenceRequest withStopIds(Set<Integer> stopIds) {
        return new SequenceRequest(
                REQUEST.input(), REQUEST.sampling(), REQUEST.maxTokens(), stopIds, REQUEST.bannedIds());
    }

    private static SequenceRequest withIds(int[] ids) {
        ModelInput input = new ModelInput(
                ids, REQUEST.input().imageIndex(), REQUEST.input().images());
        return new SequenceRequest(
                input, REQUEST.sampling(), REQUEST.maxTokens(), REQUEST.stopIds(), REQUEST.bannedIds());
    }

    private static void assertFails(Flux<?> tokens, ErrorType type) {
        StepVerifier.create(tokens)
                .expectErrorSatisfies(error -> assertType(error, type))
                .verify(PATIENCE);
    }

    private static void assertType(Throwable error, ErrorType type) {
        assertThat(error).isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.type())
                .isEqualTo(type));
    }

    private static List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName).toList();
    }

    private static void await(CountDownLatch latch) {
        try {
            if (!latch.await(20, TimeUnit.SECONDS)) {
                throw new AssertionError("nobody came");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Counts how often the engine asks whether a token ends the sequence: once for each token that it chose. */
    private static final class CountingSet extends HashSet<Integer> {

        private final AtomicInteger asked = new AtomicInteger();

        CountingSet(Set<Integer> ids) {
            super(ids);
        }

        @Override
        public boolean contains(Object id) {
            asked.incrementAndGet();
            return super.contains(id);
        }
    }

    /** Holds an engine in the first token of a sequence. */
    private static final class Held {

        private final CountDownLatch running = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);

        Disposable hold(Engine engine, SequenceRequest request) throws InterruptedException {
            return hold(engine, request, new CompletableFuture<>());
        }

        Disposable hold(Engine engine, SequenceRequest request, CompletableFuture<List<Integer>> answer)
                throws InterruptedException {
            Disposable subscription = tokens(engine, request)
                    .doOnNext(token -> {
                        running.countDown();
                        await(released);
                    })
                    .collectList()
                    .subscribe(answer::complete, answer::completeExceptionally);
            assertThat(running.await(20, TimeUnit.SECONDS)).isTrue();
            return subscription;
        }

        void release() {
            released.countDown();
        }
    }

    @Test
    void held_requestOfTests_isLongerThanWhatTheyCount() {
        assertThat(TOKENS).hasSizeGreaterThan(10);
        assertThat(Arrays.stream(REQUEST.input().inputIds()).max().orElseThrow())
                .isLessThan(1_000_000);
    }
}
