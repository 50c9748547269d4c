package io.idefics.engine;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static io.idefics.engine.EngineBench.CONTROL;
import static io.idefics.engine.EngineBench.MARK;
import static io.idefics.engine.EngineBench.PATIENCE;
import static io.idefics.engine.EngineBench.assertAnswer;
import static io.idefics.engine.EngineBench.assertAnswers;
import static io.idefics.engine.EngineBench.assertFails;
import static io.idefics.engine.EngineBench.failMarked;
import static io.idefics.engine.EngineBench.marked;
import static io.idefics.engine.EngineBench.mixed;
import static io.idefics.engine.EngineBench.picture;
import static io.idefics.engine.EngineBench.pictured;
import static io.idefics.engine.EngineBench.settings;
import static io.idefics.engine.EngineBench.text;
import static io.idefics.engine.EngineBench.texts;
import static io.idefics.engine.EngineBench.withPriority;
import static io.idefics.engine.EngineBench.withQueueTimeout;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import io.idefics.engine.EngineBench.Hold;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.testing.Settings;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.AbstractSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.test.scheduler.VirtualTimeScheduler;

/** What goes wrong in an engine, one fault at a time, hits the sequence that it belongs to and nobody else. */
class EngineFaultsTest {

    private static final String NO_CUDA_MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB.";

    private EngineBench bench = new EngineBench();

    @AfterEach
    void close() {
        bench.model.beforeForward = runs -> {};
        bench.close();
    }

    // The engine dies.

    static Stream<Supplier<Error>> fatalErrors() {
        return Stream.of(
                () -> new StackOverflowError("deep"),
                () -> new LinkageError("no such symbol"),
                () -> new AssertionError("a bug"));
    }

    @ParameterizedTest
    @MethodSource("fatalErrors")
    void step_throwsAnError_endsAllThatWaitAndTellsWhy(Supplier<Error> fatal) {
        Error error = fatal.get();
        List<SequenceRequest> requests = texts(10, 20);
        AtomicInteger passes = new AtomicInteger();
        bench.model.beforeForward = runs -> {
            if (runs.size() == 8 && passes.incrementAndGet() == 3) {
                throw error;
            }
        };
        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        answers.subList(0, 8).forEach(answer -> assertFails(answer, ErrorType.INTERNAL));
        answers.subList(8, 10).forEach(answer -> assertFails(answer, ErrorType.MODEL_NOT_READY));
        assertThat(bench.engine.ended())
                .failsWithin(PATIENCE)
                .withThrowableThat()
                .havingCause()
                .isSameAs(error);
        assertDead(error);
    }

    @Test
    void step_runtimeExceptionEscapes_endsAllThatWaitAndTellsWhy() {
        IllegalStateException error = new IllegalStateException("cannot abandon");
        CountDownLatch inTower = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        bench.model.beforeLayers = () -> {
            inTower.countDown();
            FakeModel.await(gate);
        };
        bench.model.beforeAbandoning = () -> {
            throw error;
        };
        Disposable encoding = bench.tokens(pictured(1, 10, 5, picture(7))).subscribe();
        FakeModel.await(inTower);
        CompletableFuture<List<Integer>> other = bench.start(text(2, 10, 50));
        encoding.dispose();
        gate.countDown();

        assertFails(other, e -> assertThat(e).isInstanceOf(RuntimeException.class));
        assertThat(bench.engine.ended()).failsWithin(PATIENCE);
        assertDead(error);
    }

    @Test
    void engineDies_freeingTheModelTakesLong_clientsKnowAtOnce() {
        CountDownLatch gate = new CountDownLatch(1);
        bench.model.beforeClose = () -> FakeModel.await(gate);
        bench.model.beforeForward = runs -> {
            throw new LinkageError("fatal");
        };

        assertFails(bench.start(CONTROL), ErrorType.INTERNAL);
        assertFails(bench.start(CONTROL), ErrorType.MODEL_NOT_READY);
        assertThat(bench.engine.ended()).isNotDone();
        gate.countDown();
        assertThat(bench.engine.ended()).failsWithin(PATIENCE);
    }

    @Test
    void engineDies_inAPool_isBuiltAnewAndAnswersTheSame() {
        List<FakeModel> models = new ArrayList<>();
        VirtualTimeScheduler time = VirtualTimeScheduler.create();
        try (EnginePool<SequenceEvent> pool = pool(models, time)) {
            assertThat(pool.ready()).succeedsWithin(PATIENCE);
            assertThat(answer(pool, CONTROL)).isEqualTo(FakeModel.answer(CONTROL));
            models.get(0).beforeForward = runs -> {
                throw new StackOverflowError();
            };

            assertFails(pool.generate(CONTROL).collectList().toFuture(), ErrorType.INTERNAL);
            await().atMost(PATIENCE).until(() -> pool.replica(0).restarts() == 1);
            assertThat(pool.state()).isEqualTo(ReplicaState.RESTARTING);
            assertFails(pool.generate(CONTROL).collectList().toFuture(), ErrorType.MODEL_NOT_READY);
            time.advanceTimeBy(Duration.ofSeconds(1));

            await().atMost(PATIENCE).until(() -> pool.state() == ReplicaState.READY);
            assertThat(answer(pool, CONTROL)).isEqualTo(FakeModel.answer(CONTROL));
            assertThat(models).hasSize(2);
            assertThat(models.get(0).isClosed()).isTrue();
        }
        assertThat(models).allMatch(FakeModel::isClosed);
    }

    @Test
    void deviceIsLost_inAPool_endsAllAndIsNotBuiltAnew() {
        List<FakeModel> models = new ArrayList<>();
        VirtualTimeScheduler time = VirtualTimeScheduler.create();
        try (EnginePool<SequenceEvent> pool = pool(models, time)) {
            assertThat(pool.ready()).succeedsWithin(PATIENCE);
            models.get(0).beforeForward = runs -> {
                throw new IllegalStateException("The following operation failed in the TorchScript interpreter.\n"
                        + "RuntimeError: CUDA error: device-side assert triggered\nMore lines");
            };

            assertFails(pool.generate(CONTROL).collectList().toFuture(), ErrorType.INTERNAL);
            await().atMost(PATIENCE).until(pool::hasDied);
            time.advanceTimeBy(Duration.ofDays(1));

            assertThat(models).hasSize(1);
            assertThat(pool.state()).isEqualTo(ReplicaState.FAILED);
            assertThat(pool.failure())
                    .isInstanceOf(DeviceLostException.class)
                    .hasMessageContaining("device-side assert triggered")
                    .hasMessageNotContaining("More lines");
            assertFails(pool.generate(CONTROL).collectList().toFuture(), ErrorType.MODEL_NOT_READY);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"encoding", "projection"})
    void deviceIsLost_withPictures_endsTheEngine(String where) {
        IllegalStateException error = new IllegalStateException("CUDA error: an illegal memory access");
        bench.model.beforeEncoding = images -> failIn(where, "encoding", error);
        bench.model.beforeProjection = slots -> failIn(where, "projection", error);

        assertFails(bench.start(CONTROL), ErrorType.INTERNAL);
        assertThat(bench.engine.ended()).failsWithin(PATIENCE);
        assertThat(bench.engine.failure())
                .isInstanceOf(DeviceLostException.class)
                .hasCause(error);
    }

    // One sequence poisons its step.

    @ParameterizedTest
    @ValueSource(ints = {0, 3, 7})
    void poisonedPrompt_inAStepOfEight_failsAlone(int place) {
        List<SequenceRequest> requests = new ArrayList<>(mixed(8, 20));
        requests.set(place, marked(requests.get(place)));
        bench.model.beforeForward = failMarked(new IllegalArgumentException("index out of range"));

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertFails(answers.get(place), ErrorType.INTERNAL);
        assertAnswer(answers, requests, Set.of(place));
        bench.assertSound();
    }

    @Test
    void poisonedPrompts_severalInAStep_failAndNobodyElse() {
        List<SequenceRequest> requests = new ArrayList<>(mixed(8, 20));
        Set<Integer> places = Set.of(1, 2, 6);
        places.forEach(place -> requests.set(place, marked(requests.get(place))));
        bench.model.beforeForward = failMarked(new IllegalArgumentException("index out of range"));

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        places.forEach(place -> assertFails(answers.get(place), ErrorType.INTERNAL));
        assertAnswer(answers, requests, places);
        bench.assertSound();
    }

    @Test
    void poisonedSequence_whileAllDecode_failsAlone() {
        List<SequenceRequest> requests = new ArrayList<>(mixed(8, 20));
        requests.set(4, marked(requests.get(4)));
        int length = requests.get(4).input().inputIds().length;
        bench.model.beforeForward = runs -> {
            if (runs.stream().anyMatch(run -> run.has(MARK) && run.ids().size() == length + 10)) {
                throw new IllegalStateException("in its tenth token");
            }
        };

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertFails(answers.get(4), ErrorType.INTERNAL);
        assertAnswer(answers, requests, Set.of(4));
        bench.assertSound();
    }

    @Test
    void stepFails_once_isRunAgainAndNobodyNotices() {
        List<SequenceRequest> requests = texts(8, 20);
        AtomicInteger failures = new AtomicInteger();
        bench.model.beforeForward = runs -> {
            if (runs.size() == 8 && failures.incrementAndGet() % 4 == 1) {
                throw new IllegalStateException("now and then");
            }
        };

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertAnswer(answers, requests, Set.of());
        assertThat(failures).hasValueGreaterThan(4);
        bench.model.beforeForward = runs -> {};
        bench.assertSound();
    }

    @ParameterizedTest
    @ValueSource(strings = {"encoding", "projection"})
    void poisonedPicture_amongOthers_failsItsRequestsAlone(String where) {
        PixelValues poison = picture(66);
        List<SequenceRequest> requests = List.of(
                pictured(1, 20, 8, picture(51)),
                pictured(2, 20, 8, poison),
                pictured(3, 20, 8, picture(52)),
                text(4, 20, 8));
        List<PixelValues> tower = new ArrayList<>();
        bench.model.beforeEncoding = images -> {
            tower.clear();
            tower.addAll(images);
            if (images.contains(poison)) {
                failIn(where, "encoding", new IllegalArgumentException("not a picture"));
            }
        };
        int[] poisonedSlot = {-1};
        bench.model.afterEncoding = slots -> {
            for (int i = 0; i < slots.length; i++) {
                poisonedSlot[0] = tower.get(i).equals(poison) ? slots[i] : poisonedSlot[0];
            }
        };
        bench.model.beforeProjection = slots -> {
            if (Arrays.stream(slots).anyMatch(slot -> slot == poisonedSlot[0])) {
                failIn(where, "projection", new IllegalStateException("not latents"));
            }
        };

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertFails(answers.get(1), ErrorType.INTERNAL);
        assertAnswer(answers, requests, Set.of(1));
        bench.model.beforeProjection = slots -> {};
        bench.assertSound();
    }

    @Test
    void layersOfTheTower_fail_concernTheirPicturesAlone() {
        PixelValues poison = picture(66);
        AtomicInteger failures = new AtomicInteger();
        bench.model.beforeLayers = () -> {
            if (bench.model.tower().contains(poison)) {
                failures.incrementAndGet();
                throw new IllegalStateException("in the tower");
            }
        };
        List<SequenceRequest> requests =
                List.of(pictured(1, 20, 8, picture(51)), pictured(2, 20, 8, poison), pictured(3, 20, 8, picture(52)));

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertFails(answers.get(1), ErrorType.INTERNAL);
        assertAnswer(answers, requests, Set.of(1));
        assertThat(failures).hasValue(2);
        bench.assertSound();
    }

    @Test
    void pictures_ofAPromptAlone_areProjectedOnce() {
        List<Integer> projected = new ArrayList<>();
        bench.model.beforeProjection = slots -> projected.add(slots.length);
        SequenceRequest request = pictured(1, 20, 4, picture(1), picture(2), picture(3), picture(4));

        assertAnswers(bench.start(request), request);
        bench.awaitIdle();
        assertThat(projected.stream().mapToInt(Integer::intValue).sum())
                .as("with fewer slots for latents than pictures: %s", projected)
                .isEqualTo(4);
    }

    @Test
    void prompt_ofAnUnknownToken_isRefusedAlone() {
        for (int id : new int[] {-1, FakeModel.VOCABULARY, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            ModelInput input = new ModelInput(new int[] {1, id, 2}, new int[] {-1, -1, -1}, List.of());
            assertFails(bench.start(EngineBench.request(input, 4)), ErrorType.INTERNAL);
        }
        assertThat(bench.model.attempts()).isZero();
        bench.assertSound();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, -2, Integer.MIN_VALUE})
    void prompt_thatSeesAPictureItLacks_isRefusedAlone(int index) {
        ModelInput input = new ModelInput(new int[] {1, 2, 3}, new int[] {-1, 0, index}, List.of(picture(1)));
        Hold hold = bench.hold();
        CompletableFuture<List<Integer>> broken = bench.start(EngineBench.request(input, 4));
        CompletableFuture<List<Integer>> sound = bench.start(CONTROL);
        hold.release();

        assertFails(broken, error -> assertThat(error)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(String.valueOf(index)));
        assertAnswers(sound, CONTROL);
        bench.assertSound();
    }

    // The engine hangs.

    @Test
    void step_hangs_clientsAreToldAndItGoesOnWhenTheStepReturns() {
        ListAppender<ILoggingEvent> log = logOf(Engine.class);
        bench.close();
        bench = new EngineBench(settings(1, 64, 512));
        Hold hold = bench.hold();
        CompletableFuture<List<Integer>> waiting = bench.start(CONTROL);

        bench.pass(EngineBench.WATCHDOG);
        assertThat(bench.engine.isAlive()).as("at the limit").isTrue();
        bench.pass(Duration.ofNanos(1));

        assertThat(bench.engine.isAlive()).isFalse();
        assertThat(bench.engine.failure()).isNull();
        assertFails(hold.held(), ErrorType.MODEL_NOT_READY);
        assertFails(waiting, ErrorType.MODEL_NOT_READY);
        assertFails(bench.start(CONTROL), ErrorType.MODEL_NOT_READY);
        bench.pass(Duration.ofSeconds(5));
        assertThat(log.list.stream().map(ILoggingEvent::getFormattedMessage))
                .filteredOn(message -> message.contains("hangs"))
                .hasSize(1)
                .first()
                .asString()
                .contains("FakeModel.forward");

        hold.release();
        await().atMost(PATIENCE).until(bench.engine::isAlive);
        bench.assertSound();
    }

    @Test
    void step_neverReturns_engineIsGivenUp() {
        Hold hold = bench.hold();
        bench.pass(EngineBench.HANG);
        assertThat(bench.engine.failure()).isNull();
        bench.pass(Duration.ofNanos(1));

        assertThat(bench.engine.failure()).isInstanceOf(DeviceLostException.class);
        assertThat(bench.engine.ended()).isCompletedExceptionally();
        assertThat(CompletableFuture.runAsync(bench.engine::close))
                .as("closing does not wait for it")
                .succeedsWithin(PATIENCE);

        hold.release();
        await().atMost(PATIENCE).until(bench.model::isClosed);
        assertThat(bench.engine.isAlive()).isFalse();
        assertFails(bench.start(CONTROL), ErrorType.MODEL_NOT_READY);
    }

    @Test
    void close_whileAStepHangs_doesNotWaitForIt() {
        Hold hold = bench.hold();
        bench.pass(EngineBench.WATCHDOG.plusNanos(1));

        assertThat(CompletableFuture.runAsync(bench.engine::close)).succeedsWithin(PATIENCE);
        hold.release();
        await().atMost(PATIENCE).until(bench.model::isClosed);
    }

    @Test
    void request_comesWhileTheEngineBeginsToHang_isToldToo() {
        Hold hold = bench.hold();
        // The deadline is read between the check of the engine and the entry into its books.
        bench.atClock.set(() -> bench.pass(EngineBench.WATCHDOG.plusNanos(1)));

        CompletableFuture<List<Integer>> answer = bench.start(withQueueTimeout(CONTROL, Duration.ofDays(1)));

        assertFails(answer, ErrorType.MODEL_NOT_READY);
        hold.release();
        await().atMost(PATIENCE).until(bench.engine::isAlive);
        bench.assertSound();
    }

    @Test
    void step_returnsWhileTheWatchdogLooks_engineStaysAlive() {
        Hold hold = bench.hold();
        long before = bench.engine.stats().steps();
        bench.pass(EngineBench.WATCHDOG);
        bench.atClock.set(() -> {
            hold.release();
            await().atMost(PATIENCE).until(() -> bench.engine.stats().steps() > before);
        });
        bench.pass(Duration.ofNanos(1));

        assertThat(bench.engine.isAlive()).isTrue();
        bench.assertSound();
    }

    @Test
    void process_standsStillDuringAStep_engineDoesNotHang() {
        Hold hold = bench.hold();
        CompletableFuture<List<Integer>> waiting = bench.start(CONTROL);
        bench.pass(EngineBench.WATCHDOG.dividedBy(2));

        bench.nanos.addAndGet(Duration.ofHours(1).toNanos());
        bench.time.advanceTimeBy(EngineBench.WATCHDOG); // what the watchdog missed, it does at once
        assertThat(bench.engine.isAlive()).isTrue();
        bench.pass(EngineBench.WATCHDOG.dividedBy(4));
        assertThat(bench.engine.isAlive()).as("at the limit").isTrue();
        hold.release();
        assertAnswers(waiting, CONTROL);
        bench.assertSound();
    }

    @Test
    void step_hangsAfterTheProcessStoodStill_isNoticed() {
        Hold hold = bench.hold();
        bench.nanos.addAndGet(Duration.ofHours(1).toNanos());
        bench.pass(EngineBench.WATCHDOG);

        assertThat(bench.engine.isAlive()).isTrue();
        bench.pass(Duration.ofNanos(1));
        assertThat(bench.engine.isAlive()).isFalse();
        hold.release();
        await().atMost(PATIENCE).until(bench.engine::isAlive);
        bench.assertSound();
    }

    // Memory runs out.

    static Stream<Throwable> shortages() {
        return Stream.of(
                new IllegalStateException(NO_CUDA_MEMORY),
                new IllegalStateException("CUDA error: out of memory"),
                new IllegalStateException("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
                new IllegalStateException("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate"
                        + " memory: you tried to allocate 68719476736 bytes."),
                new OutOfMemoryError("Java heap space"));
    }

    @ParameterizedTest
    @MethodSource("shortages")
    void memoryRunsOut_inAStep_givesUpTheNewestAndRunsFewer(Throwable shortage) {
        AtomicInteger failures = failBeyond(3, shortage);
        List<SequenceRequest> requests = texts(8, 30);

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        answers.subList(3, 8).forEach(answer -> assertFails(answer, ErrorType.OVERLOADED));
        assertAnswer(answers, requests, Set.of(3, 4, 5, 6, 7));
        assertThat(failures).as("one try for each that was given up").hasValue(5);

        assertAnswer(bench.startTogether(requests), requests, Set.of());
        assertThat(failures).as("from then on no more run side by side").hasValue(5);
        bench.assertSound();
    }

    @Test
    void memoryRunsOut_andComesBack_asManyRunAsBefore() {
        failBeyond(3, new OutOfMemoryError("Java heap space"));
        List<SequenceRequest> requests = texts(8, 30);
        bench.startTogether(requests).forEach(EngineFaultsTest::ended);
        bench.model.beforeForward = runs -> {};
        bench.model.steps.clear();

        int waves = 0;
        while (bench.model.steps.stream().noneMatch(rows -> rows.size() == 8)) {
            assertThat(waves++).isLessThan(100);
            assertAnswer(bench.startTogether(requests), requests, Set.of());
        }

        assertThat(bench.model.steps).as("it took its time").hasSizeGreaterThan(5 * 256);
        bench.assertSound();
    }

    @ParameterizedTest
    @MethodSource("shortages")
    void memoryRunsOut_forOneAlone_givesItUp(Throwable shortage) {
        AtomicInteger failures = failBeyond(0, shortage);

        assertFails(bench.start(CONTROL), ErrorType.OVERLOADED);
        assertThat(failures).hasValue(1);
        bench.model.beforeForward = runs -> {};
        bench.assertSound();
    }

    @ParameterizedTest
    @ValueSource(strings = {"encoding", "projection"})
    void memoryRunsOut_forManyPictures_takesThemOneByOne(String where) {
        AtomicInteger failures = new AtomicInteger();
        IllegalStateException shortage = new IllegalStateException(NO_CUDA_MEMORY);
        bench.model.beforeEncoding = images -> {
            if (images.size() > 1 && where.equals("encoding")) {
                failures.incrementAndGet();
                throw shortage;
            }
        };
        bench.model.beforeProjection = slots -> {
            if (slots.length > 1 && where.equals("projection")) {
                failures.incrementAndGet();
                throw shortage;
            }
        };
        List<SequenceRequest> requests = List.of(
                pictured(1, 20, 8, picture(51)), pictured(2, 20, 8, picture(52)), pictured(3, 20, 8, picture(53)));

        assertAnswer(bench.startTogether(requests), requests, Set.of());
        assertThat(failures).hasValueGreaterThan(0);
        bench.model.beforeEncoding = images -> {};
        bench.model.beforeProjection = slots -> {};
        bench.assertSound();
    }

    static Stream<Arguments> shortagesWithPictures() {
        return Stream.of("encoding", "layers", "projection").flatMap(where -> Stream.of(
                        new IllegalStateException(NO_CUDA_MEMORY), new OutOfMemoryError("Java heap"))
                .map(shortage -> Arguments.of(where, shortage)));
    }

    @ParameterizedTest
    @MethodSource("shortagesWithPictures")
    void memoryRunsOut_forAPictureAlone_givesUpItsRequest(String where, Throwable shortage) {
        bench.model.beforeEncoding = images -> failIn(where, "encoding", shortage);
        bench.model.beforeLayers = () -> failIn(where, "layers", shortage);
        bench.model.beforeProjection = slots -> failIn(where, "projection", shortage);
        List<SequenceRequest> requests = List.of(CONTROL, text(1, 20, 30), text(2, 40, 30));
        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertFails(answers.get(0), ErrorType.OVERLOADED);
        assertAnswer(answers, requests, Set.of(0));
        bench.model.beforeEncoding = images -> {};
        bench.model.beforeLayers = () -> {};
        bench.model.beforeProjection = slots -> {};
        bench.assertSound();
    }

    @Test
    void heapRunsOut_onceInAStep_givesUpTheNewestAlone() {
        AtomicInteger steps = new AtomicInteger();
        bench.model.beforeForward = runs -> {
            if (runs.size() == 8 && steps.incrementAndGet() == 5) {
                throw new OutOfMemoryError("Java heap space");
            }
        };
        List<SequenceRequest> requests = texts(8, 20);

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        await().atMost(PATIENCE).until(() -> answers.stream().allMatch(CompletableFuture::isDone));
        List<Integer> failed = IntStream.range(0, 8)
                .filter(i -> answers.get(i).isCompletedExceptionally())
                .boxed()
                .toList();
        assertThat(failed).hasSize(1);
        assertFails(answers.get(failed.get(0)), ErrorType.OVERLOADED);
        assertAnswer(answers, requests, Set.copyOf(failed));
        bench.assertSound();
    }

    @Test
    void memoryRunsOut_severalPriorities_givesUpTheNewestOfTheLowest() {
        AtomicInteger steps = new AtomicInteger();
        bench.model.beforeForward = runs -> {
            if (runs.size() == 4 && steps.incrementAndGet() == 5) {
                throw new IllegalStateException(NO_CUDA_MEMORY);
            }
        };
        List<SequenceRequest> requests = new ArrayList<>(texts(4, 20));
        requests.set(0, withPriority(requests.get(0), Priority.LOW));
        requests.set(1, withPriority(requests.get(1), Priority.LOW));

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertFails(answers.get(1), ErrorType.OVERLOADED);
        assertAnswer(answers, requests, Set.of(1));
        bench.assertSound();
    }

    @Test
    void heapRunsOut_whileATokenIsChosen_givesUpItsRequestAlone() {
        List<SequenceRequest> requests = new ArrayList<>(mixed(8, 20));
        SequenceRequest request = requests.get(3);
        Set<Integer> noRoom = new AbstractSet<>() {
            @Override
            public boolean contains(Object id) {
                throw new OutOfMemoryError("Java heap space");
            }

            @Override
            public Iterator<Integer> iterator() {
                return Collections.emptyIterator();
            }

            @Override
            public int size() {
                return 0;
            }
        };
        requests.set(
                3,
                new SequenceRequest(
                        request.input(), request.sampling(), request.maxTokens(), noRoom, request.bannedIds()));

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertFails(answers.get(3), ErrorType.OVERLOADED);
        assertAnswer(answers, requests, Set.of(3));
        bench.assertSound();
    }

    // Logits that are no numbers.

    static Stream<Float> notNumbers() {
        return Stream.of(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);
    }

    @ParameterizedTest
    @MethodSource("notNumbers")
    void logits_areNoNumbers_failTheirSequenceAlone(float value) {
        List<SequenceRequest> requests = new ArrayList<>(mixed(8, 20));
        requests.set(5, marked(requests.get(5)));
        bench.model.afterForward = kept -> {
            if (kept.run().has(MARK)) {
                if (value < 0) {
                    Arrays.fill(kept.logits(), value);
                } else {
                    kept.logits()[17] = value;
                }
            }
        };

        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(requests);

        assertFails(answers.get(5), error -> assertThat(error).hasRootCauseInstanceOf(LogitsException.class));
        assertAnswer(answers, requests, Set.of(5));
        bench.awaitIdle();
        assertThat(bench.engine.stats().nanLogits()).isEqualTo(1);
        bench.assertSound();
    }

    @Test
    void keysAndValues_areNoNumbers_nobodyFindsThemInTheCache() {
        SequenceRequest request = text(1, 60, 8);
        bench.model.breaks = run -> run.row().past() == 0;
        assertFails(bench.start(request), ErrorType.INTERNAL);
        bench.model.breaks = run -> false;

        assertAnswers(bench.start(request), request);
        bench.assertSound();
    }

    @Test
    void keysAndValues_breakInAConversation_itsNextTurnIsSound() {
        SequenceRequest first = text(1, 60, 8);
        assertAnswers(bench.start(first), first);
        ModelInput input = first.input();
        int[] longer = IntStream.concat(Arrays.stream(input.inputIds()), new java.util.Random(5).ints(60, 0, 60))
                .toArray();
        int[] seen = new int[longer.length];
        Arrays.fill(seen, -1);
        SequenceRequest second = EngineBench.request(new ModelInput(longer, seen, List.of()), 8);
        bench.model.breaks = run -> run.row().past() > 0;
        assertFails(bench.start(second), ErrorType.INTERNAL);
        bench.model.breaks = run -> false;

        assertAnswers(bench.start(second), second);
        assertAnswers(bench.start(first), first);
        bench.assertSound();
    }

    @Test
    void keysAndValues_ofAPictureAreNoNumbers_itIsEncodedAnew() {
        SequenceRequest request = pictured(1, 20, 8, picture(51));
        bench.model.breaksPictures = true;
        assertFails(bench.start(request), ErrorType.INTERNAL);
        bench.model.breaksPictures = false;

        assertAnswers(bench.start(request), request);
        bench.assertSound();
    }

    @Test
    void bans_leaveNothing_failTheirSequenceAlone() {
        SequenceRequest all = new SequenceRequest(
                CONTROL.input(),
                SamplingParams.GREEDY,
                4,
                Set.of(),
                IntStream.range(0, FakeModel.VOCABULARY).toArray());
        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(List.of(all, CONTROL));

        assertFails(answers.get(0), ErrorType.INTERNAL);
        assertAnswers(answers.get(1), CONTROL);
        bench.assertSound();
    }

    @Test
    void bans_areNoTokens_failTheirSequenceAloneOrNotAtAll() {
        SequenceRequest negative =
                new SequenceRequest(CONTROL.input(), SamplingParams.GREEDY, 4, Set.of(), new int[] {-1});
        List<CompletableFuture<List<Integer>>> answers = bench.startTogether(List.of(negative, CONTROL));

        assertFails(answers.get(0), ErrorType.INTERNAL);
        assertAnswers(answers.get(1), CONTROL);
        bench.assertSound();
    }

    static Stream<SamplingParams> extremes() {
        OptionalLong seed = OptionalLong.of(1);
        return Stream.of(
                new SamplingParams(1e-320, 1, 0, 0, 1, 1, 0, 0, Map.of(), seed),
                new SamplingParams(Double.MIN_VALUE, 1, 0, 0, 1, 1, 0, 0, Map.of(), seed),
                new SamplingParams(1, 1e-9, 0, 0, 1, 1, 0, 0, Map.of(), seed),
                new SamplingParams(1, Double.MIN_VALUE, 0, 0, 1, 1, 0, 0, Map.of(), seed),
                new SamplingParams(1, 1, 1, 0, 1, 1, 0, 0, Map.of(), seed),
                new SamplingParams(1, 1, 0, 1, 1, 1, 0, 0, Map.of(), seed),
                new SamplingParams(1e-320, 1e-9, 1, 1, 1, 1, 0, 0, Map.of(), seed));
    }

    @ParameterizedTest
    @MethodSource("extremes")
    void sampling_isExtreme_givesTheGreedyAnswer(SamplingParams sampling) {
        SequenceRequest request = new SequenceRequest(
                CONTROL.input(), sampling, CONTROL.maxTokens(), CONTROL.stopIds(), CONTROL.bannedIds());

        assertThat(bench.start(request)).succeedsWithin(PATIENCE).isEqualTo(FakeModel.answer(CONTROL));
    }

    // Length.

    @Test
    void request_beyondTheCache_isRefusedBeforeItRuns() {
        int room = 48 * EngineBench.BLOCK_TOKENS;
        assertFails(bench.start(text(1, room, 1)), ErrorType.CONTEXT_LENGTH_EXCEEDED);
        assertFails(bench.start(text(1, 1, Integer.MAX_VALUE)), error -> assertThat(error)
                .hasMessageContaining(String.valueOf(Integer.MAX_VALUE + 1L))
                .hasMessageContaining(String.valueOf(room)));
        assertFails(
                bench.start(pictured(1, 20, 1, picture(1), picture(2), picture(3), picture(4), picture(5))),
                ErrorType.INVALID_VALUE);
        assertThat(bench.model.attempts()).isZero();
        SequenceRequest just = text(1, room - 8, 8);
        assertAnswers(bench.start(just), just);
        bench.assertSound();
    }

    @Test
    void stopToken_neverComes_endsAtTheLimit() {
        SequenceRequest request = text(1, 10, 200);
        assertThat(bench.start(request))
                .succeedsWithin(PATIENCE)
                .isEqualTo(FakeModel.answer(request))
                .asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.LIST)
                .hasSize(200);
        bench.assertSound();
    }

    // Cancellation.

    @Test
    void cancelled_beforeItEnters_neverRuns() {
        AtomicInteger runs = countMarked();
        bench.tokens(marked(CONTROL)).doOnSubscribe(s -> s.cancel()).subscribe();
        bench.assertSound();
        assertThat(runs).hasValue(0);
        assertThat(bench.model.steps).isNotEmpty();
    }

    @Test
    void cancelled_inTheQueue_neverRuns() {
        bench.close();
        bench = new EngineBench(settings(1, 64, 512));
        AtomicInteger runs = countMarked();
        Hold hold = bench.hold();
        CompletableFuture<List<Integer>> first = bench.start(CONTROL);
        Disposable queued = bench.tokens(marked(CONTROL)).subscribe();
        CompletableFuture<List<Integer>> last = bench.start(CONTROL);
        queued.dispose();
        assertThat(bench.engine.waitingSequences()).isEqualTo(2);
        hold.release();

        assertAnswers(first, CONTROL);
        assertAnswers(last, CONTROL);
        bench.assertSound();
        assertThat(runs).hasValue(0);
    }

    @Test
    void cancelled_whileItsPictureIsEncoded_thePictureIsDropped() {
        CountDownLatch inTower = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        bench.model.beforeLayers = () -> {
            inTower.countDown();
            FakeModel.await(gate);
        };
        CompletableFuture<List<Integer>> other = bench.start(text(3, 10, 40));
        Disposable encoding = bench.tokens(pictured(1, 20, 8, picture(51))).subscribe();
        FakeModel.await(inTower);
        encoding.dispose();
        gate.countDown();

        assertAnswers(other, text(3, 10, 40));
        bench.assertSound();
        assertThat(bench.model.encoded).doesNotContain(picture(51).digest());
    }

    @Test
    void cancelled_betweenChunksOfItsPrompt_runsNoMoreOfThem() {
        bench.close();
        bench = new EngineBench(settings(8, 64, 32));
        AtomicInteger chunks = new AtomicInteger();
        Disposable[] long_ = {null};
        CountDownLatch started = new CountDownLatch(1);
        bench.model.beforeForward = runs -> {
            if (runs.stream().anyMatch(run -> run.ids().get(0) == MARK) && chunks.incrementAndGet() == 2) {
                FakeModel.await(started);
                long_[0].dispose();
            }
        };
        int[] ids = text(1, 300, 1).input().inputIds();
        ids[0] = MARK;
        int[] seen = new int[ids.length];
        Arrays.fill(seen, -1);
        long_[0] = bench.tokens(EngineBench.request(new ModelInput(ids, seen, List.of()), 5))
                .subscribe();
        started.countDown();

        bench.assertSound();
        assertThat(chunks).hasValue(2);
    }

    @Test
    void cancelled_betweenTokens_runsNoFurtherStep() {
        AtomicInteger runs = countMarked();
        List<Integer> taken =
                bench.tokens(marked(CONTROL)).take(3).collectList().block(PATIENCE);

        assertThat(taken).isEqualTo(FakeModel.answer(marked(CONTROL)).subList(0, 3));
        bench.assertSound();
        assertThat(runs).hasValue(3);
    }

    @Test
    void cancelled_atItsLastTokenOrAfterTheEnd_changesNothing() {
        ListAppender<ILoggingEvent> dropped = logOf(reactor.core.publisher.Operators.class);
        List<Integer> all =
                bench.tokens(CONTROL).take(CONTROL.maxTokens()).collectList().block(PATIENCE);
        CompletableFuture<List<Integer>> ended = new CompletableFuture<>();
        Disposable subscription = bench.tokens(CONTROL).collectList().subscribe(ended::complete);
        assertAnswers(ended, CONTROL);
        subscription.dispose();

        assertThat(all).isEqualTo(FakeModel.answer(CONTROL));
        bench.assertSound();
        assertThat(dropped.list).isEmpty();
    }

    @Test
    void cancelled_aThousandTimes_othersGetTheirAnswers() {
        bench.close();
        bench = new EngineBench(settings(8, 2000, 512));
        List<SequenceRequest> requests = mixed(4, 60);
        List<CompletableFuture<List<Integer>>> answers = bench.startAll(requests);
        List<Disposable> storm = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            storm.add(bench.tokens(pictured(i, 20 + i % 50, 50, picture(i % 7))).subscribe());
            if (i >= 20) {
                storm.get(i - 20).dispose();
            }
        }
        storm.forEach(Disposable::dispose);

        assertAnswer(answers, requests, Set.of());
        bench.assertSound();
    }

    // The queue.

    @Test
    void deadline_passesInTheQueue_isToldWithoutHavingRun() {
        bench.close();
        bench = new EngineBench(settings(1, 64, 512));
        AtomicInteger runs = countMarked();
        Hold hold = bench.hold();
        CompletableFuture<List<Integer>> patient = bench.start(CONTROL);
        CompletableFuture<List<Integer>> hasty = bench.start(withQueueTimeout(marked(CONTROL), Duration.ofMillis(100)));
        CompletableFuture<List<Integer>> inTime = bench.start(withQueueTimeout(CONTROL, Duration.ofMillis(101)));
        bench.nanos.addAndGet(Duration.ofMillis(100).toNanos());
        hold.release();

        assertFails(hasty, ErrorType.OVERLOADED);
        assertAnswers(patient, CONTROL);
        assertAnswers(inTime, CONTROL);
        assertThat(runs).hasValue(0);
        bench.assertSound();
    }

    @Test
    void deadline_ofAllThatWaitPasses_engineGoesOn() {
        assertFails(bench.start(withQueueTimeout(CONTROL, Duration.ZERO)), ErrorType.OVERLOADED);
        bench.assertSound();
    }

    @Test
    void deadline_passesWhileRunning_isMet() {
        CompletableFuture<List<Integer>> answer = bench.tokens(withQueueTimeout(CONTROL, Duration.ofMillis(100)))
                .doOnNext(token -> bench.nanos.addAndGet(Duration.ofSeconds(1).toNanos()))
                .collectList()
                .toFuture();
        assertAnswers(answer, CONTROL);
    }

    @Test
    void queue_isFull_refusesAtOnceAndOthersRun() {
        bench.close();
        bench = new EngineBench(settings(2, 2, 512));
        Hold hold = bench.hold();
        List<SequenceRequest> requests = mixed(2, 10);
        List<CompletableFuture<List<Integer>>> answers = bench.startAll(requests);

        CompletableFuture<List<Integer>> refused = bench.start(CONTROL);
        assertThat(refused).as("while the engine is held").isCompletedExceptionally();
        assertFails(refused, ErrorType.OVERLOADED);
        hold.release();

        assertAnswer(answers, requests, Set.of());
        bench.assertSound();
    }

    @Test
    void queue_isFull_theLatestOfTheLowestPriorityLeavesForAHigherOne() {
        bench.close();
        bench = new EngineBench(settings(1, 4, 512));
        Hold hold = bench.hold();
        List<SequenceRequest> requests = texts(4, 10);
        CompletableFuture<List<Integer>> low1 = bench.start(withPriority(requests.get(0), Priority.LOW));
        CompletableFuture<List<Integer>> low2 = bench.start(withPriority(requests.get(1), Priority.LOW));
        CompletableFuture<List<Integer>> normal = bench.start(requests.get(2));
        CompletableFuture<List<Integer>> high = bench.start(withPriority(requests.get(3), Priority.HIGH));

        CompletableFuture<List<Integer>> secondNormal = bench.start(CONTROL);
        assertThat(low2).as("while the engine is held").isCompletedExceptionally();
        assertFails(low2, ErrorType.OVERLOADED);
        CompletableFuture<List<Integer>> secondHigh = bench.start(withPriority(CONTROL, Priority.HIGH));
        assertFails(low1, ErrorType.OVERLOADED);
        assertFails(low1, error -> assertThat(error)
                .hasMessage("The model 'bench' is busy: this request had to leave the queue for one of higher priority."
                        + " Try again later."));
        CompletableFuture<List<Integer>> thirdHigh = bench.start(withPriority(CONTROL, Priority.HIGH));
        assertFails(secondNormal, ErrorType.OVERLOADED);
        for (Priority priority : List.of(Priority.LOW, Priority.NORMAL)) {
            assertFails(bench.start(withPriority(CONTROL, priority)), ErrorType.OVERLOADED);
        }
        assertThat(bench.engine.waitingSequences()).isEqualTo(4);
        assertThat(bench.engine.stats().displaced()).isEqualTo(3);
        assertThat(bench.engine.stats().refused()).isEqualTo(2);
        hold.release();

        assertAnswers(normal, requests.get(2));
        assertAnswers(high, requests.get(3));
        assertAnswers(secondHigh, CONTROL);
        assertAnswers(thirdHigh, CONTROL);
        bench.assertSound();
    }

    @Test
    void queue_isFullOfChoicesOfAnAnswerThatHasBegun_keepsThem() {
        bench.close();
        bench = new EngineBench(settings(1, 2, 512));
        SequenceRequest choice = withPriority(text(1, 20, 10), Priority.LOW);
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        CompletableFuture<List<Integer>> first = bench.tokens(choice)
                .doOnNext(token -> {
                    begun.countDown();
                    FakeModel.await(gate);
                })
                .collectList()
                .toFuture();
        FakeModel.await(begun);
        List<CompletableFuture<List<Integer>>> others = bench.startAll(List.of(choice, choice));

        assertFails(bench.start(withPriority(CONTROL, Priority.HIGH)), ErrorType.OVERLOADED);
        gate.countDown();

        assertAnswers(first, choice);
        others.forEach(answer -> assertAnswers(answer, choice));
        bench.assertSound();
    }

    @Test
    void queue_severalPriorities_theHighestRunsFirst() {
        bench.close();
        bench = new EngineBench(settings(1, 64, 512));
        Hold hold = bench.hold();
        List<Priority> order = Collections.synchronizedList(new ArrayList<>());
        List<CompletableFuture<List<Integer>>> answers = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            Priority priority = Priority.values()[i % 3];
            answers.add(bench.tokens(withPriority(text(i, 20, 3), priority))
                    .collectList()
                    .doOnSuccess(tokens -> order.add(priority))
                    .toFuture());
        }
        hold.release();

        answers.forEach(answer -> assertThat(answer).succeedsWithin(PATIENCE));
        assertThat(order)
                .containsExactly(
                        Priority.HIGH,
                        Priority.HIGH,
                        Priority.HIGH,
                        Priority.NORMAL,
                        Priority.NORMAL,
                        Priority.NORMAL,
                        Priority.LOW,
                        Priority.LOW,
                        Priority.LOW);
        bench.assertSound();
    }

    @Test
    void queue_manyComeAtOnce_takesNoMoreThanTheLimit() {
        int threads = 32;
        bench.close();
        bench = new EngineBench(settings(1, 3, 512));
        Hold hold = bench.hold();
        // The deadline is read on the way into the engine: there they wait for each other.
        CountDownLatch together = new CountDownLatch(threads);
        bench.beforeClock = () -> {
            together.countDown();
            FakeModel.await(together);
        };
        SequenceRequest request = withQueueTimeout(CONTROL, Duration.ofDays(1));
        List<CompletableFuture<List<Integer>>> answers = Collections.synchronizedList(new ArrayList<>());
        List<Thread> clients = Stream.generate(() -> new Thread(() -> answers.add(bench.start(request))))
                .limit(threads)
                .toList();

        clients.forEach(Thread::start);
        await().atMost(PATIENCE).until(() -> answers.size() == threads);
        List<CompletableFuture<List<Integer>>> refused =
                answers.stream().filter(CompletableFuture::isDone).toList();
        assertThat(bench.engine.waitingSequences()).isEqualTo(3);
        hold.release();

        assertThat(refused).hasSize(threads - 3).allSatisfy(answer -> assertFails(answer, ErrorType.OVERLOADED));
        assertThat(answers).filteredOn(answer -> !refused.contains(answer)).allSatisfy(a -> assertAnswers(a, CONTROL));
        bench.assertSound();
    }

    // Slow consumers.

    @Test
    void consumer_takesNothing_othersRunAndItsTokensAreKept() {
        bench.close();
        bench = new EngineBench(settings(2, 3, 512));
        List<Reluctant> slow = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            Reluctant consumer = new Reluctant();
            bench.tokens(CONTROL).subscribe(consumer);
            slow.add(consumer);
            assertAnswers(bench.start(text(i, 20, 10)), text(i, 20, 10));
            bench.awaitIdle();
        }

        bench.assertSound();
        for (Reluctant consumer : slow) {
            assertThat(consumer.taken).isEmpty();
            consumer.request(Long.MAX_VALUE);
            assertThat(consumer.taken).isEqualTo(FakeModel.answer(CONTROL));
            assertThat(consumer.completed).isTrue();
        }
    }

    @Test
    void consumer_throws_failsAlone() {
        CompletableFuture<List<Integer>> thrown = bench.tokens(CONTROL)
                .doOnNext(token -> {
                    throw new IllegalStateException("the client's fault");
                })
                .collectList()
                .toFuture();
        assertFails(thrown, error -> assertThat(error).hasMessage("the client's fault"));
        bench.assertSound();
    }

    // Clocks and determinism.

    @Test
    void clock_overflows_deadlinesHold() {
        bench.nanos.set(Long.MAX_VALUE - 50_000_000);
        SequenceRequest request = withQueueTimeout(CONTROL, Duration.ofMillis(100));
        assertAnswers(bench.start(request), CONTROL);
        Hold hold = bench.hold();
        bench.nanos.addAndGet(Duration.ofMillis(100).toNanos());
        bench.time.advanceTimeBy(EngineBench.WATCHDOG);
        assertThat(bench.engine.isAlive()).isTrue();
        hold.release();
        bench.assertSound();
    }

    @Test
    void engine_readsNoWallClock_soNoJumpOfItMatters() {
        ArchRule rule = noClasses()
                .should()
                .callMethod(System.class, "currentTimeMillis")
                .orShould()
                .callMethod(Instant.class, "now")
                .orShould()
                .dependOnClassesThat()
                .areAssignableTo(Clock.class);
        ClassFileImporter importer =
                new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS);

        rule.check(importer.importPackages("io.idefics.engine"));
        assertThatThrownBy(() -> rule.check(importer.importPackages("io.idefics.service")))
                .as("the rule can fail")
                .isInstanceOf(AssertionError.class);
    }

    @Test
    void answers_aloneInABatchAndDuringFaults_areTheSame() {
        List<SequenceRequest> requests = mixed(8, 25);
        requests.forEach(request -> assertAnswers(bench.start(request), request));
        assertAnswer(bench.startTogether(requests), requests, Set.of());

        bench.model.beforeForward = failMarked(new IllegalStateException("poison"));
        bench.model.afterForward = kept -> {
            if (kept.run().has(62)) {
                kept.logits()[3] = Float.NaN;
            }
        };
        for (int round = 0; round < 5; round++) {
            List<SequenceRequest> all = new ArrayList<>(requests);
            for (int i = 0; i < 4; i++) {
                all.add(2 * i, marked(pictured(100 + 10 * round + i, 30, 10, picture(round))));
            }
            List<CompletableFuture<List<Integer>>> answers = bench.startTogether(all);
            assertAnswer(answers, all, Set.of(0, 2, 4, 6));
            List.of(0, 2, 4, 6).forEach(place -> assertFails(answers.get(place), ErrorType.INTERNAL));
        }
        bench.assertSound();
    }

    private void assertDead(Throwable error) {
        assertThat(bench.engine.failure()).isSameAs(error);
        assertThat(bench.engine.isAlive()).isFalse();
        assertThat(bench.engine.runningSequences()).isZero();
        assertThat(bench.engine.waitingSequences()).isZero();
        assertThat(bench.model.isClosed()).isTrue();
        assertFails(bench.start(CONTROL), ErrorType.MODEL_NOT_READY);
    }

    private AtomicInteger countMarked() {
        AtomicInteger count = new AtomicInteger();
        bench.model.beforeForward = runs -> {
            if (runs.stream().anyMatch(run -> run.has(MARK))) {
                count.incrementAndGet();
            }
        };
        return count;
    }

    /** Lets forward passes of more rows fail; tells how many did. */
    private AtomicInteger failBeyond(int rows, Throwable shortage) {
        AtomicInteger failures = new AtomicInteger();
        bench.model.beforeForward = runs -> {
            if (runs.size() > rows) {
                failures.incrementAndGet();
                raise(shortage);
            }
        };
        return failures;
    }

    private static void failIn(String where, String place, Throwable failure) {
        if (where.equals(place)) {
            raise(failure);
        }
    }

    private static void raise(Throwable failure) {
        if (failure instanceof Error error) {
            throw error;
        }
        throw (RuntimeException) failure;
    }

    private static void ended(CompletableFuture<?> answer) {
        await().atMost(PATIENCE).until(answer::isDone);
    }

    private static ListAppender<ILoggingEvent> logOf(Class<?> type) {
        ListAppender<ILoggingEvent> appender = new ListAppender<>();
        appender.start();
        ((Logger) LoggerFactory.getLogger(type)).addAppender(appender);
        return appender;
    }

    private static EnginePool<SequenceEvent> pool(List<FakeModel> models, VirtualTimeScheduler time) {
        return new EnginePool<>(
                "test",
                Settings.pool("restart-delay=1s"),
                List.of(List.of("cpu")),
                replica -> {
                    FakeModel model = new FakeModel();
                    models.add(model);
                    return new Engine(
                            "replica-" + replica,
                            settings(8, 64, 512),
                            () -> new LoadedModel(model, new CacheSize(48, 4, 4)));
                },
                time);
    }

    private static List<Integer> answer(EnginePool<SequenceEvent> pool, SequenceRequest request) {
        Flux<Integer> tokens =
                pool.generate(request).ofType(SequenceEvent.Token.class).map(SequenceEvent.Token::id);
        return tokens.collectList().block(PATIENCE);
    }

    /** Asks for nothing until a test does. */
    private static final class Reluctant extends BaseSubscriber<Integer> {

        private final List<Integer> taken = new ArrayList<>();
        private boolean completed;

        @Override
        protected void hookOnSubscribe(org.reactivestreams.Subscription subscription) {
            // nothing is asked for
        }

        @Override
        protected void hookOnNext(Integer token) {
            taken.add(token);
        }

        @Override
        protected void hookOnComplete() {
            completed = true;
        }
    }
}
