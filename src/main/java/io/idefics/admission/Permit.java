package io.idefics.admission;

import java.util.concurrent.atomic.AtomicBoolean;

/** The right of one request to be served; closing it again has no effect. */
public final class Permit implements AutoCloseable {

    private final Runnable release;
    private final AtomicBoolean released = new AtomicBoolean();

    Permit(Runnable release) {
        this.release = release;
    }

    @Override
    public void close() {
        if (released.compareAndSet(false, true)) {
            release.run();
        }
    }
}
