package io.idefics.admission;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The requests whose bodies are on their way. There are only so many; a further one takes the place of the slowest of a
 * client that has far more of them, or else of one that is slower than a body may be.
 */
public final class Arrivals {

    /** How far a body may be ahead of the least rate, so that one that stops is soon behind it. */
    private static final long CREDIT_NANOS = Duration.ofSeconds(1).toNanos();

    private static final long NANOS_PER_SECOND = Duration.ofSeconds(1).toNanos();

    private final int max;
    private final long minBytesPerSecond;
    private final LongSupplier nanoTime;
    private final Set<Arrival> all = new LinkedHashSet<>(); // oldest first; guarded by this
    private long displaced; // guarded by this

    /**
     * @param max the most bodies at one time
     * @param minBytesPerSecond a body that is slower loses its place where another needs it
     */
    public Arrivals(int max, long minBytesPerSecond) {
        this(max, minBytesPerSecond, System::nanoTime);
    }

    Arrivals(int max, long minBytesPerSecond, LongSupplier nanoTime) {
        this.max = max;
        this.minBytesPerSecond = minBytesPerSecond;
        this.nanoTime = nanoTime;
    }

    /**
     * Gives a place to a body.
     *
     * @param client whose body it is
     * @return null where there is none
     */
    @Nullable
    Arrival enter(String client) {
        Arrival arrival = new Arrival(client);
        Arrival victim = null;
        synchronized (this) {
            if (all.size() >= max) {
                victim = victim(arrival);
                if (victim == null) {
                    return null;
                }
                remove(victim);
            }
            all.add(arrival);
        }
        end(victim);
        return arrival;
    }

    /** Ends another arrival, whose memory is needed for this one; tells whether there was one to end. */
    boolean makeRoom(Arrival arrival) {
        Arrival victim;
        synchronized (this) {
            victim = victim(arrival);
            if (victim != null) {
                remove(victim);
            }
        }
        end(victim);
        return victim != null;
    }

    /** Takes a body out that has arrived or was given up. */
    synchronized void leave(Arrival arrival) {
        all.remove(arrival);
    }

    synchronized int size() {
        return all.size();
    }

    synchronized long displaced() {
        return displaced;
    }

    private void remove(Arrival victim) {
        all.remove(victim);
        displaced++;
    }

    /** Outside of the lock, as it takes that of the permit. */
    private static void end(@Nullable Arrival victim) {
        if (victim != null) {
            victim.displaced.completeExceptionally(new GenerationException(
                    ErrorType.OVERLOADED,
                    "The service needs the room for bodies that come faster than this one; try again later.",
                    null));
        }
    }

    /** The body that is most behind, of a client with more than twice as many as this one's, or else of all. */
    private @Nullable Arrival victim(Arrival newcomer) {
        Map<String, Long> places = Stream.concat(all.stream(), Stream.of(newcomer))
                .distinct()
                .collect(Collectors.groupingBy(arrival -> arrival.client, Collectors.counting()));
        long share = 2 * places.getOrDefault(newcomer.client, 0L);
        String greedy = places.entrySet().stream()
                .filter(entry -> entry.getValue() > share)
                .max(Map.Entry.comparingByValue())
                .map(Map.Entry::getKey)
                .orElse(null);
        long now = nanoTime.getAsLong();
        return all.stream()
                .filter(arrival -> arrival != newcomer)
                .filter(arrival -> greedy == null ? arrival.behind(now) > 0 : arrival.client.equals(greedy))
                .max(Comparator.comparingLong(arrival -> arrival.behind(now)))
                .orElse(null);
    }

    /** One body on its way. Each byte pays for the time that it takes at the least rate. */
    final class Arrival {

        private final String client;
        private final CompletableFuture<Void> displaced = new CompletableFuture<>();
        private long bytes; // changed by one thread only
        private volatile long paidUntil = nanoTime.getAsLong() + CREDIT_NANOS;

        private Arrival(String client) {
            this.client = client;
        }

        /** Notes how much has come. */
        void progress(long received) {
            double paid = (double) (received - bytes) * NANOS_PER_SECOND / minBytesPerSecond;
            bytes = received;
            long most = nanoTime.getAsLong() + CREDIT_NANOS;
            paidUntil = most - Math.max(0, most - paidUntil - (long) paid);
        }

        private long behind(long now) {
            return now - paidUntil;
        }

        /** Fails when another takes the place. */
        CompletableFuture<Void> displaced() {
            return displaced;
        }
    }
}
