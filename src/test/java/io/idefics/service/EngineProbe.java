package io.idefics.service;

import io.idefics.engine.SequenceRequest;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import io.idefics.tokenizer.IdeficsTokenizer;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import reactor.core.publisher.BaseSubscriber;

/** Looks into the engines of a running service. */
public final class EngineProbe {

    private EngineProbe() {}

    /** Whether no sequence runs or waits: the queues are empty, and each engine thread waits for the next sequence. */
    public static boolean isIdle(ModelRegistry registry) {
        return registry.hosts().stream().allMatch(EngineProbe::isIdle);
    }

    /** How many sequences run or wait for their turn. */
    public static int sequences(ModelRegistry registry) {
        return registry.hosts().stream().mapToInt(EngineProbe::sequences).sum();
    }

    private static int sequences(ModelHost host) {
        return host.pool().runningSequences() + host.pool().waitingSequences();
    }

    /** Lets the engine that takes the next sequence die of it. */
    public static void killOne(ModelHost host) {
        ModelInput input = new ModelInput(new int[] {1, 5}, new int[] {-1, -1}, List.of());
        host.pool()
                .generate(new SequenceRequest(input, SamplingParams.GREEDY, 4, Set.of(), new int[0]))
                .subscribe(new BaseSubscriber<Object>() {
                    @Override
                    protected void hookOnNext(Object token) {
                        throw new LinkageError("not the fault of a sequence");
                    }
                });
    }

    /** Holds the engine that takes the next sequence in a step, until the gate opens; tells when it is held. */
    public static CountDownLatch holdOne(ModelHost host, CountDownLatch gate) {
        ModelInput input = new ModelInput(new int[] {1, 5}, new int[] {-1, -1}, List.of());
        CountDownLatch held = new CountDownLatch(1);
        host.pool()
                .generate(new SequenceRequest(input, SamplingParams.GREEDY, 1, Set.of(), new int[0]))
                .subscribe(event -> {
                    held.countDown();
                    try {
                        gate.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
        return held;
    }

    /** The id of the token of that text, which is not a byte. */
    public static int tokenId(ModelRegistry registry, String text) {
        IdeficsTokenizer tokenizer =
                Objects.requireNonNull(registry.hosts().get(0).parts()).tokenizer();
        return IntStream.rangeClosed(0, tokenizer.maxId())
                .filter(id -> tokenizer.piece(id).text().equals(text))
                .max() // those of bytes come first
                .orElseThrow();
    }

    private static boolean isIdle(ModelHost host) {
        return sequences(host) == 0 && waitsInQueue("engine-" + host.id());
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
