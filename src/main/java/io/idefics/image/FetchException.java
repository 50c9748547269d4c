package io.idefics.image;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Why a fetch failed, for logs and meters; clients are told much less, lest they explore a network by it. */
final class FetchException extends RuntimeException {

    /** How a fetch can end. */
    enum Outcome {
        /** The picture was fetched. */
        OK,
        /** The URL, or one that it redirects to, is malformed or not allowed. */
        REFUSED,
        /** The host has an address that is not allowed. */
        BLOCKED,
        /** The host is unknown or takes no connection. */
        UNREACHABLE,
        /** A deadline passed or the bytes came too slowly. */
        TIMEOUT,
        /** The connection broke, or what came was not HTTP. */
        BROKEN,
        /** The host answered with something else than a picture. */
        STATUS,
        /** The picture, or all of the request, have too many bytes. */
        TOO_LARGE,
        /** The host failed so often that it is left alone for a while. */
        CIRCUIT_OPEN,
        /** Other fetches left no room. */
        BUSY,
        /** Nobody waits for the picture any more. */
        CANCELLED;

        /** The value of the tag of a meter. */
        String tag() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final Outcome outcome;
    private final boolean hostFault;
    private final boolean passing;

    private FetchException(
            Outcome outcome, String detail, @Nullable Throwable cause, boolean hostFault, boolean passing) {
        super(detail, cause);
        this.outcome = outcome;
        this.hostFault = hostFault;
        this.passing = passing;
    }

    /** A failure that says nothing about the state of the host. */
    static FetchException of(Outcome outcome, String detail) {
        return new FetchException(outcome, detail, null, false, false);
    }

    /** A failure of the host, which counts against it. */
    static FetchException ofHost(Outcome outcome, String detail, @Nullable Throwable cause) {
        return new FetchException(outcome, detail, cause, true, false);
    }

    /** A failure of the host that may be gone at the next try. */
    static FetchException passing(Outcome outcome, String detail, @Nullable Throwable cause) {
        return new FetchException(outcome, detail, cause, true, true);
    }

    Outcome outcome() {
        return outcome;
    }

    /** Whether the failure counts against the host. */
    boolean isHostFault() {
        return hostFault;
    }

    /** Whether one more try may succeed. */
    boolean isPassing() {
        return passing;
    }
}
