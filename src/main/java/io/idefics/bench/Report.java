package io.idefics.bench;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a bench found out; as JSON, the names of these records are the format.
 *
 * @param complete false if it was ended before it was through
 * @param runs one for each load
 */
@JsonNaming(SnakeCaseStrategy.class)
record Report(Environment environment, Workload workload, boolean complete, List<Run> runs) {

    Report {
        runs = List.copyOf(runs);
    }

    /**
     * Where it was measured.
     *
     * @param date when it began, in ISO 8601
     * @param version of this program; null when it does not run from a jar
     * @param cores processors of the machine of this program
     * @param arguments as given, without the key
     */
    @JsonNaming(SnakeCaseStrategy.class)
    record Environment(
            String date,
            String target,
            String model,
            @Nullable String version,
            String java,
            String os,
            int cores,
            List<String> arguments) {}

    /**
     * One load.
     *
     * @param durationSeconds from its begin to the end of the last request that ended
     * @param requestsPerSecond answered ones
     * @param maxStartDelayMs how late a request was sent after it was due, at most; null where none is ever due
     */
    @JsonNaming(SnakeCaseStrategy.class)
    record Run(
            Load load,
            Requests requests,
            List<FailureCount> failures,
            double durationSeconds,
            double requestsPerSecond,
            Tokens tokens,
            @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double maxStartDelayMs,
            Latencies latenciesMs) {

        boolean succeeded() {
            return requests.failed() == 0;
        }
    }

    /**
     * How many requests.
     *
     * @param unfinished neither answered nor failed when the bench was ended
     * @param withoutUsage answered ones of which the server did not say what they cost: the tokens of their prompts are
     *     missing, and pieces of text are counted as tokens of their answers
     */
    @JsonNaming(SnakeCaseStrategy.class)
    record Requests(long ok, long failed, long unfinished, long withoutUsage) {}

    /**
     * Failures of one kind.
     *
     * @param status the status code, or a short name
     * @param example the message of one of them
     */
    record FailureCount(String status, long count, String example) {}

    /** Tokens of all answered requests; {@code cachedShare} is that of the prompts. */
    @JsonNaming(SnakeCaseStrategy.class)
    record Tokens(
            long prompt,
            long cached,
            long output,
            double cachedShare,
            double promptPerSecond,
            double outputPerSecond) {}

    /**
     * Milliseconds; null where nothing was measured.
     *
     * @param timeToFirstToken from sending a request, or from when it was due, to its first text
     * @param timeToFirstTokenFirstTurn that of the first turns; null without later ones
     * @param timeToFirstTokenLaterTurns that of the later turns
     * @param timePerOutputToken from the first text to the end, over the tokens but the first
     * @param maxTokenGap the longest wait for the next piece of text of each request
     * @param endToEnd from sending a request, or from when it was due, to the end of its answer
     */
    @JsonNaming(SnakeCaseStrategy.class)
    record Latencies(
            @Nullable Distribution timeToFirstToken,
            @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Distribution timeToFirstTokenFirstTurn,
            @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Distribution timeToFirstTokenLaterTurns,
            @Nullable Distribution timePerOutputToken,
            @Nullable Distribution maxTokenGap,
            @Nullable Distribution endToEnd) {}

    /** A distribution over requests, to three significant digits. */
    record Distribution(long count, double mean, double p50, double p90, double p95, double p99, double max) {}
}
