package io.idefics.service;

import java.util.Map;

/** Looks into the engines of a running service. */
public final class EngineProbe {

    private EngineProbe() {}

    /** Whether no sequence runs or waits: the queues are empty, and each engine thread waits for the next sequence. */
    public static boolean isIdle(ModelRegistry registry) {
        return registry.hosts().stream().allMatch(EngineProbe::isIdle);
    }

    /** How many sequences run or wait for their turn. */
    public static int sequences(ModelRegistry registry) {
        return registry.hosts().stream()
                .mapToInt(
                        host -> host.engine().runningSequences() + host.engine().waitingSequences())
                .sum();
    }

    private static boolean isIdle(ModelHost host) {
        return host.engine().runningSequences() + host.engine().waitingSequences() == 0
                && waitsInQueue("engine-" + host.id());
    }

    private static boolean waitsInQueue(String thread) {
        return Thread.getAllStackTraces().entrySet().stream()
                .filter(entry -> entry.getKey().getName().equals(thread))
                .map(Map.Entry::getValue)
                .allMatch(EngineProbe::takes);
    }

    private static boolean takes(StackTraceElement[] stack) {
        for (StackTraceElement frame : stack) {
            if (frame.getMethodName().equals("take")) {
                return true;
            }
        }
        return false;
    }
}
