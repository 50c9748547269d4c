package io.idefics.admission;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Counts the requests that were not let in, and logs them, at most one line each ten seconds. */
public final class AccessRefusals {

    private static final Logger log = LoggerFactory.getLogger(AccessRefusals.class);

    private static final long LOG_INTERVAL_NANOS = Duration.ofSeconds(10).toNanos();

    /** Why a request was refused. */
    public enum Reason {
        /** It has no key. */
        MISSING,
        /** What it has cannot be a key, or are several. */
        MALFORMED,
        /** Nobody holds its key. */
        UNKNOWN,
        /** The holder of its key may not do that. */
        SCOPE,
        /** It came by a name that may not be one of this machine. */
        HOST
    }

    private final Map<Reason, LongAdder> counts = new EnumMap<>(Reason.class);
    private final LongAdder total = new LongAdder();
    private final LongSupplier nanoTime;
    private final AtomicLong nextLine;
    private volatile long told;

    public AccessRefusals() {
        this(System::nanoTime);
    }

    AccessRefusals(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        this.nextLine = new AtomicLong(nanoTime.getAsLong());
        for (Reason reason : Reason.values()) {
            counts.put(reason, new LongAdder());
        }
    }

    /**
     * Takes note of a refusal.
     *
     * @param caller the name of whoever was refused
     */
    public void record(Reason reason, String caller) {
        count(reason).increment();
        total.increment();
        long now = nanoTime.getAsLong();
        long next = nextLine.get();
        if (now - next >= 0 && nextLine.compareAndSet(next, now + LOG_INTERVAL_NANOS)) {
            long all = total.sum();
            log.warn(
                    "Refused {} for the {}; {} since the last such line",
                    caller,
                    reason == Reason.HOST
                            ? "host name"
                            : "API key (" + reason.name().toLowerCase(Locale.ROOT) + ")",
                    all - told);
            told = all;
        }
    }

    /** How many requests were refused for that reason. */
    public long total(Reason reason) {
        return count(reason).sum();
    }

    private LongAdder count(Reason reason) {
        LongAdder count = counts.get(reason);
        if (count == null) {
            throw new IllegalStateException(reason.name()); // the constructor has put all of them
        }
        return count;
    }
}
