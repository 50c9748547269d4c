package io.idefics.admission;

import java.time.Duration;

/**
 * What is left of a limit a minute.
 *
 * @param limit the most a minute
 * @param taken whether there was what was asked for
 * @param remaining what is left until the next minute begins; less than nothing where an answer took more than there was
 * @param retry when there will be what was asked for; zero where there was
 * @param reset when all of the limit will be there again; zero where it is
 */
public record Balance(int limit, boolean taken, long remaining, Duration retry, Duration reset) {

    private static final long SECONDS_IN_MINUTE = 60;
    private static final long MINUTES_IN_HOUR = 60;
    private static final long MILLIS_IN_SECOND = 1000;

    /** A time as OpenAI's headers have it, {@code 12ms}, {@code 1s} or {@code 6m0s}, rounded up. */
    public static String text(Duration time) {
        long millis = time.plusNanos(999_999).toMillis();
        if (millis < MILLIS_IN_SECOND) {
            return millis == 0 ? "0s" : millis + "ms";
        }
        long seconds = (millis + MILLIS_IN_SECOND - 1) / MILLIS_IN_SECOND;
        long minutes = seconds / SECONDS_IN_MINUTE;
        String rest = seconds % SECONDS_IN_MINUTE + "s";
        if (minutes == 0) {
            return rest;
        }
        String hours = minutes < MINUTES_IN_HOUR ? "" : minutes / MINUTES_IN_HOUR + "h";
        return hours + minutes % MINUTES_IN_HOUR + "m" + rest;
    }
}
