package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.bench.Report.Run;
import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class LoadGeneratorTest {

    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @Test
    void clients_fourOfThem_askAtOnceAndNoMore() {
        CountDownLatch four = new CountDownLatch(4);
        AtomicInteger active = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        ScriptedTarget target = new ScriptedTarget(messages -> listener -> {
            most.accumulateAndGet(active.incrementAndGet(), Math::max);
            four.countDown();
            await(four);
            active.decrementAndGet();
            listener.text("x");
            listener.completed();
            return () -> {};
        });

        Run run = run(target, new Load.Clients(4), 20, 1);

        assertThat(run.requests().ok()).isEqualTo(20);
        assertThat(run.requests().unfinished()).isZero();
        assertThat(most).hasValue(4);
        assertThat(target.asked).doesNotHaveDuplicates();
    }

    @Test
    void turns_three_repeatWhatWasSaid() {
        ScriptedTarget target = new ScriptedTarget(messages -> listener -> {
            listener.text("answer " + messages.size());
            listener.completed();
            return () -> {};
        });

        Run run = run(target, new Load.Clients(1), 4, 3);

        List<List<Message>> asked = List.copyOf(target.asked);
        assertThat(asked).extracting(List::size).containsExactly(1, 3, 5, 1);
        assertThat(asked.get(2).subList(0, 3)).isEqualTo(asked.get(1));
        assertThat(asked.get(1).get(1))
                .isEqualTo(new Message(Role.ASSISTANT, List.of(new ContentPart.Text("answer 1"))));
        assertThat(run.latenciesMs().timeToFirstTokenFirstTurn().count()).isEqualTo(2);
        assertThat(run.latenciesMs().timeToFirstTokenLaterTurns().count()).isEqualTo(2);
    }

    @Test
    void turns_oneFails_endsTheConversation() {
        ScriptedTarget target = new ScriptedTarget(messages -> listener -> {
            if (messages.size() > 1) {
                listener.failed("400", "too long");
            } else {
                listener.completed();
            }
            return () -> {};
        });

        Run run = run(target, new Load.Clients(1), 4, 3);

        assertThat(List.copyOf(target.asked)).extracting(List::size).containsExactly(1, 3, 1, 3);
        assertThat(run.requests().ok()).isEqualTo(2);
        assertThat(run.requests().failed()).isEqualTo(2);
    }

    @Test
    void rate_manyInFlightWhileNoneIsAnswered_arriveAllTheSame() {
        CountDownLatch ten = new CountDownLatch(10);
        ScriptedTarget target = new ScriptedTarget(messages -> listener -> {
            ten.countDown();
            await(ten);
            listener.completed();
            return () -> {};
        });

        Run run = run(target, new Load.Rate(10_000), 10, 1);

        assertThat(run.requests().ok()).isEqualTo(10);
        assertThat(run.maxStartDelayMs()).isNotNegative();
    }

    @Test
    void rate_turns_areAskedThoughArrivalsAreFast() {
        ScriptedTarget target = new ScriptedTarget(messages -> listener -> {
            listener.text("x");
            listener.completed();
            return () -> {};
        });

        Run run = run(target, new Load.Rate(10_000), 6, 3);

        assertThat(run.requests().ok()).isEqualTo(6);
        assertThat(run.latenciesMs().timeToFirstTokenFirstTurn().count()).isEqualTo(2);
        assertThat(run.latenciesMs().timeToFirstTokenLaterTurns().count()).isEqualTo(4);
    }

    @Test
    void timeout_noAnswer_abandonsTheRequest() {
        AtomicInteger abandoned = new AtomicInteger();
        ScriptedTarget target = new ScriptedTarget(messages -> listener -> abandoned::incrementAndGet);
        Measurements measurements = new Measurements(new Load.Clients(1), System.nanoTime());

        generator(target, 1, Duration.ofMillis(1)).run(new Load.Clients(1), tickets(2), measurements);

        assertThat(abandoned).hasValue(2);
        assertThat(measurements.snapshot().failures()).singleElement().satisfies(failure -> {
            assertThat(failure.status()).isEqualTo("timeout");
            assertThat(failure.count()).isEqualTo(2);
        });
    }

    @Test
    void client_hasAFault_isThrown() {
        ScriptedTarget target = new ScriptedTarget(messages -> {
            throw new IllegalArgumentException("a fault");
        });
        for (Load load : List.of(new Load.Clients(2), new Load.Rate(10_000))) {
            assertThatThrownBy(() -> run(target, load, 10, 1)).hasRootCauseMessage("a fault");
        }
    }

    private static Run run(Target target, Load load, int requests, int turns) {
        Measurements measurements = new Measurements(load, System.nanoTime());
        generator(target, turns, PATIENCE).run(load, tickets(requests), measurements);
        return measurements.snapshot();
    }

    private static LoadGenerator generator(Target target, int turns, Duration timeout) {
        return new LoadGenerator(target, new ConversationGenerator(Workloads.text(turns)), timeout, 100, 1);
    }

    private static Tickets tickets(int requests) {
        return new Tickets(new Extent.Requests(requests), System.nanoTime());
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Answers by a script and remembers what it was asked. */
    private static final class ScriptedTarget implements Target {

        private final Queue<List<Message>> asked = new ConcurrentLinkedQueue<>();
        private final Function<List<Message>, Call> script;

        ScriptedTarget(Function<List<Message>, Call> script) {
            this.script = script;
        }

        @Override
        public String name() {
            return "scripted";
        }

        @Override
        public String model() {
            return "none";
        }

        @Override
        public Call prepare(List<Message> messages) {
            List<Message> copy = List.copyOf(messages);
            asked.add(copy);
            return script.apply(copy);
        }

        @Override
        public void close() {}
    }
}
