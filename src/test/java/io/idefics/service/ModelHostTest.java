package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.idefics.engine.PoolProperties;
import io.idefics.engine.ReplicaState;
import io.idefics.engine.ReplicaStatus;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.model.DeviceMemory;
import io.idefics.model.MemoryLedger;
import io.idefics.service.ModelHost.State;
import io.idefics.testing.Settings;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelHostTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final Path TINY = Path.of("src/test/resources/golden/models/tiny-f32");

    @Test
    void state_fromLoadingToReady_isTold() {
        BlockingClock clock = new BlockingClock();
        try (ModelHost host = host(TINY, clock)) {
            ModelRegistry registry = new ModelRegistry(List.of(host));
            assertThat(host.state()).isEqualTo(State.LOADING);
            assertThat(host.parts()).isNull();
            assertThatThrownBy(() -> registry.ready("tiny-f32"))
                    .isInstanceOfSatisfying(
                            GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.MODEL_NOT_READY))
                    .hasMessageContaining("still loading");

            clock.release();

            assertThat(host.pool().ready()).succeedsWithin(PATIENCE);
            assertThat(host.state()).isEqualTo(State.READY);
            assertThat(host.failure()).isNull();
            assertThat(host.hasDied()).isFalse();
            assertThat(registry.ready("tiny-f32")).isSameAs(host);
            assertThat(host.parts().description().contextLength()).isEqualTo(2048);
        }
    }

    @Test
    void state_noCheckpoint_isFailedWithItsMessageAlone(@TempDir Path empty) {
        Path missing = empty.resolve("missing");
        try (ModelHost host = host(missing, Clock.systemUTC())) {
            assertThat(host.pool().ready()).failsWithin(PATIENCE);

            assertThat(host.state()).isEqualTo(State.FAILED);
            assertThat(host.failure()).isEqualTo(missing + ": no such model directory");
            assertThat(host.hasDied()).isFalse();
            assertThatThrownBy(() -> new ModelRegistry(List.of(host)).ready("missing"))
                    .isInstanceOfSatisfying(
                            GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.MODEL_NOT_READY))
                    .hasMessageContaining("could not be loaded");
        }
    }

    @Test
    void hasDied_engineDiesAfterLoading_isTrue() {
        try (ModelHost host = host(TINY, Clock.systemUTC())) {
            assertThat(host.pool().ready()).succeedsWithin(PATIENCE);
            EngineProbe.killOne(host);

            await().atMost(PATIENCE).until(host::hasDied);
            assertThat(host.state()).isEqualTo(State.FAILED);
            assertThat(host.failure()).contains("not the fault of a sequence");
            assertThat(host.parts()).isNull();
        }
    }

    @Test
    void state_oneOfTwoReplicasDies_staysReadyAndItComesBack() {
        try (ModelHost host = host(TINY, Settings.pool("restart-delay=1ms"), "replicas=cpu,cpu")) {
            await().atMost(PATIENCE).until(() -> ready(host) == 2);
            EngineProbe.killOne(host);

            await().atMost(PATIENCE)
                    .until(() -> host.replicas().stream()
                                    .mapToInt(ReplicaStatus::restarts)
                                    .sum()
                            == 1);
            assertThat(host.state()).isEqualTo(State.READY);
            assertThat(host.hasDied()).isFalse();
            await().atMost(PATIENCE).until(() -> ready(host) == 2);
        }
    }

    @Test
    void failure_onlyReplicaIsRestarted_isNotReadyWithTheReason() {
        try (ModelHost host = host(TINY, Settings.pool("restart-delay=1h", "max-restart-delay=1h"))) {
            await().atMost(PATIENCE).until(() -> ready(host) == 1);
            EngineProbe.killOne(host);

            await().atMost(PATIENCE).until(() -> host.state() == State.RESTARTING);
            await().atMost(PATIENCE).until(() -> "not the fault of a sequence".equals(host.failure()));
            assertThat(host.hasDied()).isFalse();
            assertThat(host.parts()).isNull();
            assertThatThrownBy(() -> new ModelRegistry(List.of(host)).ready("tiny-f32"))
                    .hasMessageContaining("is being restarted");
        }
    }

    @Test
    void state_modelDoesNotFit_isFailedWithTheSumBeforeWeightsAreLoaded() {
        MemoryLedger small = new MemoryLedger(device -> Optional.of(new DeviceMemory(1_000_000, 0)));
        try (ModelHost host =
                new ModelHost(Settings.model(TINY), Settings.engine(), Settings.pool(), small, Clock.systemUTC())) {
            assertThat(host.pool().ready()).failsWithin(PATIENCE);

            assertThat(host.state()).isEqualTo(State.FAILED);
            assertThat(host.hasDied()).isFalse();
            assertThat(host.failure())
                    .startsWith("tiny-f32 needs ")
                    .contains(" on cpu: weights ", "cpu has 1.0 MB")
                    .contains("Choose ");
        }
    }

    @Test
    void announce_modelThatFits_keepsItsMemoryUntilItIsClosed() {
        MemoryLedger ledger = new MemoryLedger(device -> Optional.of(new DeviceMemory(80_000_000, 0)));
        ModelHost.announce(Settings.model(TINY, "id=later"), Settings.engine("max-batch-sequences=1"), ledger);
        ModelHost.announce(Settings.model(Path.of("nowhere")), Settings.engine(), ledger);

        try (ModelHost host =
                new ModelHost(Settings.model(TINY), Settings.engine(), Settings.pool(), ledger, Clock.systemUTC())) {
            assertThat(host.pool().ready()).succeedsWithin(PATIENCE);
        }
        try (ModelHost host = new ModelHost(
                Settings.model(TINY, "id=later"), Settings.engine(), Settings.pool(), ledger, Clock.systemUTC())) {
            assertThat(host.pool().ready()).succeedsWithin(PATIENCE);
        }
    }

    private static long ready(ModelHost host) {
        return host.replicas().stream()
                .filter(replica -> replica.state() == ReplicaState.READY)
                .count();
    }

    private static ModelHost host(Path path, PoolProperties pool, String... changes) {
        return new ModelHost(
                Settings.model(path, changes), Settings.engine(), pool, MemoryLedger.ofMachine(), Clock.systemUTC());
    }

    private static ModelHost host(Path path, Clock clock) {
        return new ModelHost(
                Settings.model(path),
                Settings.engine(),
                Settings.pool("max-restarts=0"),
                MemoryLedger.ofMachine(),
                clock);
    }
}
