package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import io.idefics.testing.Settings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;

class EnginePoolTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final VirtualTimeScheduler time = VirtualTimeScheduler.create();

    /** All that were ever started, in order. */
    private final List<FakeRunner> started = Collections.synchronizedList(new ArrayList<>());

    private final List<EnginePool<String>> pools = new ArrayList<>();

    @AfterEach
    void closePools() {
        pools.forEach(EnginePool::close);
        time.dispose();
    }

    @Test
    void generate_equallyBusy_takesTurns() {
        EnginePool<String> pool = loaded(3);

        assertThat(IntStream.range(0, 6).mapToObj(i -> replicaOf(pool, prompt(i))))
                .containsExactly(0, 1, 2, 0, 1, 2);
    }

    @Test
    void generate_oneIsBusier_takesTheLeastBusy() {
        EnginePool<String> pool = loaded(3);
        started.get(0).running = 2;
        started.get(1).waiting = 1;
        started.get(2).running = 1;
        started.get(2).waiting = 1;

        assertThat(replicaOf(pool, prompt(1))).isEqualTo(1);
    }

    @Test
    void generate_nextTurnOfConversation_goesWhereTheFirstWas() {
        EnginePool<String> pool = loaded(2);
        replicaOf(pool, prompt(1)); // 0
        assertThat(replicaOf(pool, prompt(2))).isEqualTo(1);
        started.get(1).running = 4; // the bound

        assertThat(replicaOf(pool, longer(prompt(2)))).isEqualTo(1);
        started.get(1).running = 5;
        assertThat(replicaOf(pool, longer(prompt(2)))).as("too busy").isEqualTo(0);
        started.get(1).running = 0;
        started.get(0).running = 1;
        assertThat(replicaOf(pool, longer(prompt(2)))).as("its last place").isEqualTo(0);
    }

    @Test
    void generate_choicesOfOneRequest_followTheFirstHoweverBusy() {
        EnginePool<String> pool = loaded(2);
        ModelInput shorterThanABlock = new ModelInput(new int[] {1, 2}, new int[] {-1, -1}, List.of());
        assertThat(replicaOf(pool, shorterThanABlock)).isEqualTo(0);
        started.get(0).running = 100;

        assertThat(replicaOf(pool, shorterThanABlock)).isEqualTo(0);
        assertThat(replicaOf(pool, new ModelInput(new int[] {1, 2}, new int[] {-1, -1}, List.of())))
                .as("another request")
                .isEqualTo(1);
    }

    @Test
    void generate_notSubscribed_choosesNothing() {
        EnginePool<String> pool = loaded(2);

        pool.generate(request(prompt(1)));

        assertThat(replicaOf(pool, prompt(2))).isEqualTo(0);
    }

    @Test
    void generate_replicaHangs_goesToTheOther() {
        EnginePool<String> pool = loaded(2);
        started.get(0).hangs = true;

        assertThat(replicaOf(pool, prompt(1))).isEqualTo(1);
        assertThat(replicaOf(pool, prompt(2))).isEqualTo(1);
        assertThat(pool.replica(0).state()).isEqualTo(ReplicaState.RESTARTING);
        assertThat(pool.state()).isEqualTo(ReplicaState.READY);

        started.get(0).hangs = false;
        assertThat(pool.replica(0).state()).isEqualTo(ReplicaState.READY);
    }

    @Test
    void state_whileLoading_isLoadingUntilTheFirstIsReady() {
        EnginePool<String> pool = pool(2);
        assertThat(pool.state()).isEqualTo(ReplicaState.LOADING);
        assertThat(pool.ready()).isNotDone();
        assertFails(pool, ErrorType.MODEL_NOT_READY);

        started.get(1).load();

        assertThat(pool.ready()).isCompleted();
        assertThat(pool.state()).isEqualTo(ReplicaState.READY);
        assertThat(pool.replica(0).state()).isEqualTo(ReplicaState.LOADING);
        assertThat(replicaOf(pool, prompt(1))).isEqualTo(1);
    }

    @Test
    void state_noneCanBeLoaded_isFailedAndNotTriedAgain() {
        EnginePool<String> pool = pool(2);

        started.get(0).fail(new IllegalStateException("no such file"));
        assertThat(pool.state()).isEqualTo(ReplicaState.LOADING);
        started.get(1).fail(new IllegalStateException("no such file"));
        time.advanceTimeBy(Duration.ofHours(1));

        assertThat(pool.state()).isEqualTo(ReplicaState.FAILED);
        assertThat(pool.failure()).hasMessage("no such file");
        assertThat(pool.hasDied()).isFalse();
        assertThat(pool.ready()).isCompletedExceptionally();
        assertThat(started).hasSize(2);
    }

    @Test
    void failure_ofOne_endsItsRequestsAloneAndItComesBack() {
        EnginePool<String> pool = loaded(2);
        CompletableFuture<List<String>> first = collect(pool, prompt(1));
        CompletableFuture<List<String>> second = collect(pool, prompt(2));

        started.get(0).fail(new OutOfMemoryError("native"));

        assertThat(first).isCompletedExceptionally();
        assertThat(second).isNotDone();
        assertThat(pool.state()).isEqualTo(ReplicaState.READY);
        assertThat(pool.replica(0).state()).isEqualTo(ReplicaState.RESTARTING);
        assertThat(pool.replica(0).failure()).isEqualTo("native");
        assertThat(replicaOf(pool, prompt(3))).isEqualTo(1);
        assertThat(started.get(0).closed).isEqualTo(1);

        time.advanceTimeBy(Duration.ofMillis(999));
        assertThat(started).hasSize(2);
        time.advanceTimeBy(Duration.ofMillis(1));
        assertThat(started).hasSize(3);
        assertThat(started.get(2).replica).isEqualTo(0);
        assertThat(pool.replica(0).state()).isEqualTo(ReplicaState.RESTARTING);

        started.get(2).load();
        assertThat(pool.replica(0).state()).isEqualTo(ReplicaState.READY);
        assertThat(pool.replica(0).failure()).isNull();
        assertThat(pool.replica(0).restarts()).isEqualTo(1);
        assertThat(pool.replica(1).restarts()).isZero();
        assertThat(started.get(1).closed).isZero();
        assertThat(second).isNotDone();
    }

    @Test
    void failure_cacheIsLost_conversationIsNoLongerBoundToTheReplica() {
        EnginePool<String> pool = loaded(2);
        assertThat(replicaOf(pool, prompt(1))).isEqualTo(0);
        restart(pool, 0);
        started.get(2).running = 1;

        assertThat(replicaOf(pool, longer(prompt(1)))).isEqualTo(1);
    }

    @Test
    void failure_ofTheOnlyOne_isNotReadyUntilItIsBack() {
        EnginePool<String> pool = loaded(1);

        started.get(0).fail(new IllegalStateException("broken"));

        assertThat(pool.state()).isEqualTo(ReplicaState.RESTARTING);
        assertThat(pool.failure()).isNull();
        assertThat(pool.hasDied()).isFalse();
        assertFails(pool, ErrorType.MODEL_NOT_READY);
        time.advanceTimeBy(Duration.ofSeconds(1));
        started.get(1).load();
        assertThat(pool.state()).isEqualTo(ReplicaState.READY);
        assertThat(replicaOf(pool, prompt(1))).isEqualTo(0);
    }

    @Test
    void failures_oneAfterTheOther_waitTwiceAsLongEachTimeAndThenStayOut() {
        EnginePool<String> pool = loaded(1, "max-restarts=4", "max-restart-delay=5s", "restart-window=1h");

        for (int delay : new int[] {1, 2, 4, 5}) {
            int before = started.size();
            started.get(before - 1).fail(new IllegalStateException("broken"));
            time.advanceTimeBy(Duration.ofSeconds(delay).minusMillis(1));
            assertThat(started).hasSize(before);
            time.advanceTimeBy(Duration.ofMillis(1));
            assertThat(started).hasSize(before + 1);
            started.get(before).load();
        }
        started.get(4).fail(new IllegalStateException("broken for good"));
        time.advanceTimeBy(Duration.ofDays(1));

        assertThat(started).hasSize(5);
        assertThat(pool.state()).isEqualTo(ReplicaState.FAILED);
        assertThat(pool.hasDied()).isTrue();
        assertThat(pool.failure()).hasMessage("broken for good");
        assertFails(pool, ErrorType.MODEL_NOT_READY);
    }

    @Test
    void failures_ofTheRestartItself_countAsWell() {
        EnginePool<String> pool = loaded(1, "max-restarts=2", "restart-window=1h");
        started.get(0).fail(new IllegalStateException("broken"));
        time.advanceTimeBy(Duration.ofMinutes(1));
        started.get(1).fail(new IllegalStateException("cannot be loaded"));
        time.advanceTimeBy(Duration.ofMinutes(1));
        started.get(2).fail(new IllegalStateException("still not"));
        time.advanceTimeBy(Duration.ofDays(1));

        assertThat(started).hasSize(3);
        assertThat(pool.hasDied()).isTrue();
    }

    @Test
    void failures_outsideOfTheWindow_areForgiven() {
        EnginePool<String> pool = loaded(1, "max-restarts=1", "restart-window=10m");
        for (int i = 0; i < 5; i++) {
            started.get(i).fail(new IllegalStateException("broken"));
            time.advanceTimeBy(Duration.ofSeconds(1));
            started.get(i + 1).load();
            time.advanceTimeBy(Duration.ofMinutes(10));
        }

        assertThat(pool.state()).isEqualTo(ReplicaState.READY);
        assertThat(pool.replica(0).restarts()).isEqualTo(5);
    }

    @Test
    void failure_deviceIsLost_isNotRebuiltWhileTheOtherServes() {
        EnginePool<String> pool = loaded(2);

        started.get(0).fail(new IllegalStateException("step", new DeviceLostException("CUDA error 700")));
        time.advanceTimeBy(Duration.ofDays(1));

        assertThat(started).hasSize(2);
        assertThat(pool.replica(0).state()).isEqualTo(ReplicaState.FAILED);
        assertThat(pool.state()).isEqualTo(ReplicaState.READY);
        assertThat(pool.hasDied()).isFalse();

        started.get(1).fail(new DeviceLostException("CUDA error 700"));
        assertThat(pool.state()).isEqualTo(ReplicaState.FAILED);
        assertThat(pool.hasDied()).isTrue();
    }

    @Test
    void close_whileOneIsToBeRebuilt_closesTheOthersAndBuildsNone() {
        EnginePool<String> pool = loaded(2);
        started.get(0).fail(new IllegalStateException("broken"));

        pool.close();
        time.advanceTimeBy(Duration.ofDays(1));

        assertThat(started).hasSize(2);
        assertThat(started.get(1).closed).isEqualTo(1);
        assertFails(pool, ErrorType.MODEL_NOT_READY);
    }

    @Test
    void close_whileOneIsLoadedAnew_closesIt() {
        EnginePool<String> pool = loaded(1);
        started.get(0).fail(new IllegalStateException("broken"));
        time.advanceTimeBy(Duration.ofSeconds(1));

        pool.close();

        assertThat(started).hasSize(2);
        assertThat(started.get(1).closed).isEqualTo(1);
        assertThat(pool.ready()).as("it was").isCompleted();
    }

    @Test
    void close_onRealThreads_leavesNoRunnerOpen() {
        Scheduler scheduler = Schedulers.newSingle("pool-test", true);
        try {
            for (int i = 0; i < 200; i++) {
                EnginePool<String> pool = pool(scheduler, 2, Settings.pool("restart-delay=1ms"));
                if (i % 2 == 0) {
                    for (FakeRunner runner : started.toArray(FakeRunner[]::new)) {
                        runner.load();
                        runner.fail(new IllegalStateException("broken"));
                    }
                }
                pool.close();
            }
        } finally {
            scheduler.dispose();
        }
        assertThat(started).isNotEmpty().allMatch(runner -> runner.ended().isDone());
    }

    @Test
    void stats_afterRestart_countOn() {
        EnginePool<String> pool = loaded(1);
        started.get(0).stats = stats(3, 10);
        assertThat(pool.replica(0).stats()).isEqualTo(stats(3, 10));

        started.get(0).fail(new IllegalStateException("broken"));
        assertThat(pool.replica(0).stats()).isEqualTo(stats(0, 10));
        time.advanceTimeBy(Duration.ofSeconds(1));
        started.get(1).stats = stats(2, 5);

        assertThat(pool.replica(0).stats()).isEqualTo(stats(2, 15));
    }

    @Test
    void sequences_ofAllReplicas_areSummedUp() {
        EnginePool<String> pool = loaded(2);
        started.get(0).running = 2;
        started.get(1).running = 3;
        started.get(1).waiting = 4;

        assertThat(pool.runningSequences()).isEqualTo(5);
        assertThat(pool.waitingSequences()).isEqualTo(4);
        assertThat(pool.replicas().get(1).devices()).containsExactly("cpu");
    }

    private void restart(EnginePool<String> pool, int replica) {
        started.get(replica).fail(new IllegalStateException("broken"));
        time.advanceTimeBy(Duration.ofSeconds(1));
        started.get(started.size() - 1).load();
        assertThat(pool.replica(replica).state()).isEqualTo(ReplicaState.READY);
    }

    private EnginePool<String> loaded(int replicas, String... changes) {
        EnginePool<String> pool = pool(time, replicas, Settings.pool(changes));
        started.forEach(FakeRunner::load);
        assertThat(pool.ready()).isCompleted();
        return pool;
    }

    private EnginePool<String> pool(int replicas) {
        return pool(time, replicas, Settings.pool());
    }

    private EnginePool<String> pool(Scheduler scheduler, int replicas, PoolProperties properties) {
        EnginePool<String> pool = new EnginePool<>(
                "test",
                properties,
                Collections.nCopies(replicas, List.of("cpu")),
                replica -> {
                    FakeRunner runner = new FakeRunner(replica);
                    started.add(runner);
                    return runner;
                },
                scheduler);
        pools.add(pool);
        return pool;
    }

    private static EngineStats stats(int used, long tokens) {
        return new EngineStats(
                used, 0, 0, tokens, tokens, 0, 0, 0, 0, tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens,
                tokens);
    }

    /** The replica that a sequence of its own runs on. */
    private static int replicaOf(EnginePool<String> pool, ModelInput input) {
        String answer = pool.generate(request(input)).blockFirst(PATIENCE);
        return Integer.parseInt(answer.substring("from ".length()));
    }

    private static CompletableFuture<List<String>> collect(EnginePool<String> pool, ModelInput input) {
        CompletableFuture<List<String>> answer = new CompletableFuture<>();
        Disposable subscription =
                pool.generate(request(input)).collectList().subscribe(answer::complete, answer::completeExceptionally);
        assertThat(subscription.isDisposed()).isFalse();
        return answer;
    }

    private static void assertFails(EnginePool<String> pool, ErrorType type) {
        StepVerifier.create(pool.generate(request(prompt(1))))
                .expectErrorSatisfies(error -> assertThat(error)
                        .isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.type())
                                .isEqualTo(type)))
                .verify(PATIENCE);
    }

    /** A prompt of 40 tokens that shares no block with one of another seed. */
    private static ModelInput prompt(int seed) {
        int[] ids = IntStream.range(0, 40).map(i -> 1000 * seed + i).toArray();
        return input(ids);
    }

    /** The same conversation one turn later. */
    private static ModelInput longer(ModelInput prompt) {
        int[] ids = Arrays.copyOf(prompt.inputIds(), prompt.inputIds().length + 30);
        return input(ids);
    }

    private static ModelInput input(int[] ids) {
        int[] seen = new int[ids.length];
        Arrays.fill(seen, -1);
        return new ModelInput(ids, seen, List.of());
    }

    private static SequenceRequest request(ModelInput input) {
        return new SequenceRequest(input, SamplingParams.GREEDY, 4, Set.of(), new int[0]);
    }
}
