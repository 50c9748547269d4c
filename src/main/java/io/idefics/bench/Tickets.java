package io.idefics.bench;

/** Gives out the right to send requests, until all are sent or the time is over. Thread-safe. */
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

    /**
     * Takes tickets for the turns of a conversation that begins at that time.
     *
     * @return how many, at most those that are wanted; 0 when there are no more
     */
    synchronized int take(int wanted, long now) {
        if (isOver(now)) {
            return 0;
        }
        int taken = (int) Math.min(wanted, left);
        left -= taken;
        return taken;
    }

    /** Takes back tickets for turns that were not asked. */
    synchronized void giveBack(int unused) {
        left += unused;
    }

    /** Whether a request at that time is too late. */
    boolean isOver(long now) {
        return timed && now - deadline >= 0;
    }
}
