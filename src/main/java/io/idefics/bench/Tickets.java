package io.idefics.bench;

/** Gives out the right to send one more request, until all are sent or the time is over. Thread-safe. */
final class Tickets {

    private final long deadline;
    private final boolean timed;
    private long left;

    /** @param begin when the run begins, by {@link System#nanoTime()} */
    Tickets(Extent extent, long begin) {
        if (extent instanceof Extent.Lasting lasting) {
            this.timed = true;
            this.deadline = begin + lasting.duration().toNanos();
            this.left = Long.MAX_VALUE;
        } else {
            this.timed = false;
            this.deadline = 0;
            this.left = ((Extent.Requests) extent).count();
        }
    }

    /** Takes a ticket for a request at that time; false when there are no more. */
    synchronized boolean take(long now) {
        if (left == 0 || isOver(now)) {
            return false;
        }
        left--;
        return true;
    }

    private boolean isOver(long now) {
        return timed && now - deadline >= 0;
    }
}
