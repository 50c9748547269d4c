package io.idefics.bench;

import io.idefics.bench.Outcome.Answer;
import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Puts a load on a target.
 *
 * <p>Under an offered load a request counts from the moment at which it is due, not from that at which it is sent: a
 * client that falls behind, or waits because {@code maxInFlight} conversations are running, must not make the server
 * look better (the "coordinated omission" of Gil Tene).
 */
final class LoadGenerator {

    /** Keeps clients whose every request fails at once from doing nothing else. */
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofMillis(100);

    private static final double NANOS_PER_SECOND = 1e9;

    private final Target target;
    private final ConversationGenerator conversations;
    private final Duration timeout;
    private final int maxInFlight;
    private final RandomGenerator arrivals;

    /**
     * @param timeout how long a request may take
     * @param maxInFlight the most conversations at once under an offered load
     * @param seed decides when requests are due
     */
    LoadGenerator(Target target, ConversationGenerator conversations, Duration timeout, int maxInFlight, long seed) {
        this.target = target;
        this.conversations = conversations;
        this.timeout = timeout;
        this.maxInFlight = maxInFlight;
        this.arrivals = new SplittableRandom(seed);
    }

    /** Runs the load until there are no more tickets and the last request has ended. */
    void run(Load load, Tickets tickets, Measurements measurements) {
        ExecutorService threads = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "bench-client");
            thread.setDaemon(true);
            return thread;
        });
        Clients clients = new Clients(tickets, measurements, threads);
        try {
            if (load instanceof Load.Rate rate) {
                clients.arrive(rate.perSecond());
            } else {
                clients.loop(((Load.Clients) load).clients());
            }
        } finally {
            threads.shutdownNow();
        }
    }

    /** The clients of one run. */
    private final class Clients {

        private final Tickets tickets;
        private final Measurements measurements;
        private final ExecutorService threads;

        Clients(Tickets tickets, Measurements measurements, ExecutorService threads) {
            this.tickets = tickets;
            this.measurements = measurements;
            this.threads = threads;
        }

        /** A closed loop of so many clients. */
        void loop(int count) {
            List<CompletableFuture<Void>> clients = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                clients.add(CompletableFuture.runAsync(
                        () -> {
                            for (int turns = take(); turns > 0; turns = take()) {
                                converse(conversations.next(), turns, null);
                            }
                        },
                        threads));
            }
            join(CompletableFuture.allOf(clients.toArray(CompletableFuture<?>[]::new)));
        }

        private int take() {
            return tickets.take(conversations.turns(), System.nanoTime());
        }

        /** Conversations that begin at random times, at that rate. */
        void arrive(double perSecond) {
            Semaphore inFlight = new Semaphore(maxInFlight);
            AtomicReference<@Nullable Throwable> fault = new AtomicReference<>();
            long due = System.nanoTime();
            while (fault.get() == null) {
                // The time to the next arrival of a Poisson process is exponential; 1 - u is never 0.
                due += (long) (-Math.log(1 - arrivals.nextDouble()) / perSecond * NANOS_PER_SECOND);
                int turns = tickets.take(conversations.turns(), due);
                if (turns == 0) {
                    break;
                }
                Conversation conversation = conversations.next();
                sleepUntil(due);
                inFlight.acquireUninterruptibly();
                long begin = due;
                threads.execute(() -> {
                    try {
                        converse(conversation, turns, begin);
                    } catch (RuntimeException | Error e) {
                        fault.set(e);
                    } finally {
                        inFlight.release();
                    }
                });
            }
            inFlight.acquireUninterruptibly(maxInFlight);
            if (fault.get() != null) {
                throw new IllegalStateException("a client failed", fault.get());
            }
        }

        /**
         * Asks turn by turn. A failed turn ends the conversation, and so does the end of the time.
         *
         * @param turns how many turns there are tickets for
         * @param due when the first turn is due; null under a closed loop, in which nothing ever is
         */
        private void converse(Conversation conversation, int turns, @Nullable Long due) {
            List<Message> messages = new ArrayList<>(conversation.opening());
            for (int turn = 0; turn < turns; turn++) {
                if (turn > 0) {
                    if (tickets.isOver(System.nanoTime())) {
                        return;
                    }
                    messages.add(conversation.followUps().get(turn - 1));
                }
                Outcome outcome = ask(messages, turn == 0 ? due : null);
                measurements.ended(outcome, turn);
                if (!(outcome instanceof Answer answer)) {
                    tickets.giveBack(turns - turn - 1);
                    if (due == null) {
                        LockSupport.parkNanos(PAUSE_AFTER_FAILURE.toNanos());
                    }
                    return;
                }
                messages.add(new Message(Role.ASSISTANT, List.of(new ContentPart.Text(answer.text()))));
            }
        }

        private Outcome ask(List<Message> messages, @Nullable Long due) {
            Target.Call call = target.prepare(messages);
            long now = System.nanoTime();
            Exchange exchange = new Exchange(due == null ? now : due, System::nanoTime);
            measurements.started(due == null ? 0 : now - due);
            Runnable abandon = call.send(exchange);
            Outcome outcome = exchange.await(timeout);
            if (!(outcome instanceof Answer)) {
                abandon.run();
            }
            return outcome;
        }
    }

    private static void join(CompletableFuture<Void> all) {
        try {
            all.join();
        } catch (CompletionException e) {
            throw new IllegalStateException("a client failed", e.getCause());
        }
    }

    private static void sleepUntil(long time) {
        for (long left = time - System.nanoTime(); left > 0; left = time - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }
}
