package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * Decodes damaged pictures, many at the same time, or sends them to a running service. Exits with 1 if any of them does
 * more than be refused: another error than that of a bad picture, another status than 200 or 400 (503 is counted).
 *
 * <p>Arguments: a directory of pictures, how many mutants, first number, threads, and either the budget for decoding in
 * MB or the URL of a service with its process id.
 */
public final class MutationTool {

    private static final long LARGEST_FILE = 2 << 20;

    private MutationTool() {}

    public static void main(String[] arguments) throws Exception {
        List<byte[]> pictures = pictures(Path.of(arguments[0]));
        int count = Integer.parseInt(arguments[1]);
        long first = Long.parseLong(arguments[2]);
        int threads = Integer.parseInt(arguments[3]);
        boolean isService = arguments[4].startsWith("http");
        String pid = isService ? arguments[5] : "self";
        PictureClient client = isService ? new PictureClient(arguments[4]) : null;
        ImageDecoder decoder = isService
                ? null
                : new ImageDecoder(
                        ImageLimits.defaults(), true, Long.parseLong(arguments[4]) << 20, Duration.ofSeconds(10));
        System.out.println(pictures.size() + " pictures, " + count + " mutants from " + first + ", " + threads
                + " threads; " + MemoryWatch.now(pid));
        Map<String, Integer> outcomes = new ConcurrentSkipListMap<>();
        AtomicInteger problems = new AtomicInteger();
        AtomicLong slowest = new AtomicLong();
        long start = System.nanoTime();
        for (int part = 0; part < 4; part++) {
            AtomicInteger next = new AtomicInteger(count / 4 * part);
            int end = part == 3 ? count : count / 4 * (part + 1);
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            for (int thread = 0; thread < threads; thread++) {
                pool.execute(() -> {
                    for (int i = next.getAndIncrement(); i < end; i = next.getAndIncrement()) {
                        long begin = System.nanoTime();
                        byte[] mutant = Mutations.mutant(pictures, first + i);
                        String outcome = isService ? send(client, mutant) : decode(decoder, mutant);
                        outcomes.merge(outcome, 1, Integer::sum);
                        if (outcome.startsWith("PROBLEM") && problems.incrementAndGet() <= 20) {
                            System.out.println("mutant " + (first + i) + ": " + outcome);
                        }
                        slowest.accumulateAndGet(((System.nanoTime() - begin) / 1_000_000) << 32 | i, Math::max);
                    }
                });
            }
            pool.shutdown();
            if (!pool.awaitTermination(1, TimeUnit.HOURS)) {
                throw new IllegalStateException("a thread does not come back");
            }
            System.out.println("after " + end + " (" + (System.nanoTime() - start) / 1_000_000_000 + " s): "
                    + MemoryWatch.now(pid));
        }
        System.out.println("slowest: " + (slowest.get() >> 32) + " ms, mutant " + (first + (int) slowest.get()));
        if (!isService) {
            System.out.println("peak heap: " + MemoryWatch.peakHeap() + " MB");
        }
        outcomes.forEach((outcome, times) -> System.out.println("  " + times + " " + outcome));
        System.out.println(problems + " problems");
        System.exit(problems.get() == 0 ? 0 : 1);
    }

    private static List<byte[]> pictures(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(file -> !file.toString().matches(".*\\.(json|md|rgb|safetensors)"))
                    .filter(Files::isRegularFile)
                    .sorted()
                    .map(MutationTool::read)
                    .filter(bytes -> bytes.length > 16 && bytes.length <= LARGEST_FILE)
                    .toList();
        }
    }

    private static byte[] read(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What a decoder made of a mutant. */
    static String decode(ImageDecoder decoder, byte[] mutant) {
        try {
            decoder.decode(mutant, "url");
            return "decoded";
        } catch (GenerationException e) {
            boolean isClear = e.type() == ErrorType.INVALID_IMAGE_FORMAT
                    || e.type() == ErrorType.IMAGE_TOO_LARGE
                    || e.type() == ErrorType.OVERLOADED;
            String message = String.valueOf(e.getMessage());
            return isClear
                    ? e.type() + (message.contains("longer than") ? ": too slow" : "")
                    : "PROBLEM " + e.type() + ": " + message;
        } catch (RuntimeException | Error e) {
            return "PROBLEM " + e;
        }
    }

    private static String send(PictureClient client, byte[] mutant) {
        try {
            int status = client.send(mutant).statusCode();
            return (status == 200 || status == 400 || status == 503 ? "" : "PROBLEM ") + "status " + status;
        } catch (IOException | InterruptedException e) {
            return "PROBLEM " + e;
        }
    }
}
