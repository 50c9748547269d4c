package io.idefics.admission;

import java.util.concurrent.atomic.AtomicLong;

/** Something of which there is so much for all requests together, such as bytes; nobody waits for it. */
final class Budget {

    private final long capacity;
    private final AtomicLong taken = new AtomicLong();

    Budget(long capacity) {
        this.capacity = capacity;
    }

    /** Takes so much, or gives it back if it is less than nothing; tells whether there was room. */
    boolean take(long amount) {
        return take(amount, capacity);
    }

    /** The same, if no more than {@code most} is taken then. */
    boolean take(long amount, long most) {
        long before = taken.getAndUpdate(now -> fits(now, amount, most) ? now + amount : now);
        return fits(before, amount, most);
    }

    long capacity() {
        return capacity;
    }

    long taken() {
        return taken.get();
    }

    private static boolean fits(long now, long amount, long most) {
        return amount <= 0 || amount <= most - now;
    }
}
