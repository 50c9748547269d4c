package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;

class MemoryGateTest {

    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @Test
    void enter_noRoomLeft_waitsForIt() throws Exception {
        MemoryGate gate = new MemoryGate(10_240);
        MemoryGate.Room first = gate.enter(8_000, PATIENCE);
        CountDownLatch started = new CountDownLatch(1);
        FutureTask<MemoryGate.Room> second = new FutureTask<>(() -> {
            started.countDown();
            return gate.enter(8_000, PATIENCE);
        });
        Thread thread = new Thread(second);
        thread.start();
        started.await();
        awaitWaiting(thread);

        assertThat(second.isDone()).isFalse();
        first.close();

        second.get(10, TimeUnit.SECONDS).close();
        assertThat(gate.freeBytes()).isEqualTo(10_240);
    }

    @Test
    void enter_demandBeyondTheBudget_takesAllOfIt() throws Exception {
        MemoryGate gate = new MemoryGate(10_240);

        try (MemoryGate.Room room = gate.enter(Long.MAX_VALUE / 2, PATIENCE)) {
            assertThat(gate.freeBytes()).isZero();
        }

        assertThat(gate.freeBytes()).isEqualTo(10_240);
    }

    @Test
    void enter_noRoomInTime_isTimedOut() throws Exception {
        MemoryGate gate = new MemoryGate(10_240);

        try (MemoryGate.Room room = gate.enter(8_000, PATIENCE)) {
            assertThatExceptionOfType(TimeoutException.class).isThrownBy(() -> gate.enter(8_000, Duration.ZERO));
        }

        assertThat(gate.freeBytes()).isEqualTo(10_240);
    }

    @Test
    void create_tinyBudget_isRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new MemoryGate(5)).withMessageContaining("5 bytes");
    }

    private static void awaitWaiting(Thread thread) {
        while (thread.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
    }
}
