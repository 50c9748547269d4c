package io.idefics.checkpoint;

import java.util.ArrayList;
import java.util.List;

/** What is wrong with a checkpoint, gathered so that one message tells everything. */
final class Faults {

    private static final int SHOWN = 20;

    private final List<String> messages = new ArrayList<>();

    void add(String message) {
        messages.add(message);
    }

    /**
     * Ends the gathering.
     *
     * @throws CheckpointException listing the first faults and counting the rest, when there are any
     */
    void check(String subject) {
        if (!messages.isEmpty()) {
            throw new CheckpointException(subject + ": " + list(messages));
        }
    }

    /** The first entries, and how many more there are. */
    static String list(List<String> entries) {
        String shown = String.join("; ", entries.subList(0, Math.min(SHOWN, entries.size())));
        int more = entries.size() - SHOWN;
        return more > 0 ? shown + "; and " + more + " more" : shown;
    }
}
