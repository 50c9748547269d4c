package io.idefics.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Decodes every picture of a corpus and compares verdict, size and colours with its {@code manifest.json}; with the URL of
 * a running service each picture is sent there instead, and only the verdict is compared. Exits with 1 if anything is
 * not as expected.
 *
 * <p>Arguments: directory, threads, and either the budget for decoding in MB or the URL of a service.
 */
public final class CorpusTool {

    private static final int CELLS = 4;
    private static final double CELL_TOLERANCE = 6;

    /** What became of one picture; without a decoded picture if it was refused or sent to a service. */
    record Outcome(boolean isDecoded, @Nullable RgbImage image, @Nullable String error, long millis) {}

    private CorpusTool() {}

    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        int threads = Integer.parseInt(arguments[1]);
        boolean isService = arguments[2].startsWith("http");
        PictureClient client = isService ? new PictureClient(arguments[2]) : null;
        ImageDecoder decoder = isService
                ? null
                : new ImageDecoder(
                        ImageLimits.defaults(), true, Long.parseLong(arguments[2]) << 20, Duration.ofSeconds(10));
        JsonNode images = new ObjectMapper()
                .readTree(directory.resolve("manifest.json").toFile())
                .get("images");
        System.out.println("before: " + MemoryWatch.now("self"));
        long threadsBefore = 0;
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<String> problems = new ArrayList<>();
        Map<String, Integer> counts = new TreeMap<>();
        List<Future<Outcome>> outcomes = new ArrayList<>();
        long start = System.nanoTime();
        for (JsonNode image : images) {
            Path file = directory.resolve(image.get("file").asText());
            outcomes.add(pool.submit(() -> run(Files.readAllBytes(file), decoder, client)));
            if (outcomes.size() == threads) {
                threadsBefore = MemoryWatch.threads("self");
            }
            if (outcomes.size() % threads == 0) {
                outcomes.get(outcomes.size() - 1).get(); // keeps files and pictures from piling up
            }
        }
        long slowest = 0;
        String slowestName = "";
        for (int i = 0; i < images.size(); i++) {
            JsonNode image = images.get(i);
            String name = image.get("file").asText();
            Outcome outcome = outcomes.set(i, null).get();
            counts.merge(
                    image.get("expect").asText() + (outcome.isDecoded() ? " -> decoded" : " -> refused"),
                    1,
                    Integer::sum);
            String problem = problem(image, outcome, counts);
            if (problem != null) {
                problems.add(name + ": " + problem);
            }
            if (outcome.millis() > slowest) {
                slowest = outcome.millis();
                slowestName = name;
            }
        }
        long millis = (System.nanoTime() - start) / 1_000_000;
        System.out.println("after: " + MemoryWatch.now("self") + " (" + threadsBefore + " threads near the beginning)");
        pool.shutdown();
        System.out.println("peak heap: " + MemoryWatch.peakHeap() + " MB");
        System.out.println(images.size() + " pictures in " + millis + " ms with " + threads + " threads; slowest "
                + slowestName + ": " + slowest + " ms");
        counts.forEach((verdict, count) -> System.out.println("  " + verdict + ": " + count));
        problems.forEach(problem -> System.out.println("PROBLEM " + problem));
        System.out.println(problems.size() + " problems");
        System.exit(problems.isEmpty() ? 0 : 1);
    }

    static Outcome run(byte[] bytes, @Nullable ImageDecoder decoder, @Nullable PictureClient client)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        if (client != null) {
            var response = client.send(bytes);
            long millis = (System.nanoTime() - start) / 1_000_000;
            int status = response.statusCode();
            return new Outcome(
                    status == 200,
                    null,
                    status == 200 || status == 400 ? null : status + " " + response.body(),
                    millis);
        }
        try {
            RgbImage image = decoder.decode(bytes, "url");
            return new Outcome(true, image, null, (System.nanoTime() - start) / 1_000_000);
        } catch (GenerationException e) {
            boolean isClear = e.type() == ErrorType.INVALID_IMAGE_FORMAT || e.type() == ErrorType.IMAGE_TOO_LARGE;
            return new Outcome(false, null, isClear ? null : e.toString(), (System.nanoTime() - start) / 1_000_000);
        } catch (RuntimeException | Error e) {
            return new Outcome(false, null, e.toString(), (System.nanoTime() - start) / 1_000_000);
        }
    }

    /** What is wrong with an outcome, or null. */
    static @Nullable String problem(JsonNode expected, Outcome outcome, Map<String, Integer> counts) {
        if (outcome.error() != null) {
            return outcome.error();
        }
        String verdict = outcome.isDecoded() ? "decodes" : "error";
        String wanted = expected.get("expect").asText();
        if (!wanted.equals("either")
                && !wanted.equals(verdict)
                && !expected.path("also_ok").asText().equals(verdict)) {
            return "expected " + wanted + ", but " + verdict;
        }
        RgbImage image = outcome.image();
        if (image == null || expected.path("width").asInt() < 1) {
            return null;
        }
        boolean hasMainSize = image.width() == expected.get("width").asInt()
                && image.height() == expected.get("height").asInt();
        boolean hasOtherSize = false;
        for (JsonNode size : expected.path("alt_size")) {
            hasOtherSize |= size.get(0).asInt() == image.width() && size.get(1).asInt() == image.height();
        }
        if (!hasMainSize && !hasOtherSize) {
            return "is " + image.width() + " x " + image.height() + ", expected " + expected.get("width") + " x "
                    + expected.get("height");
        }
        if (expected.path("confidence").asText().equals("low")) {
            counts.merge("size alone compared", 1, Integer::sum);
            return null;
        }
        double tolerance = expected.get("tolerance").asDouble();
        double[] mean = mean(image, 0, 0, image.width(), image.height());
        if (!isNear(expected.get("mean_rgb"), mean, tolerance)) {
            if (expected.path("note").asText().startsWith("16-bit grey")) {
                counts.merge("16-bit gray, clipped as in Pillow", 1, Integer::sum);
                return null;
            }
            for (JsonNode other : expected.path("alt_mean")) {
                if (isNear(other.get("mean_rgb"), mean, tolerance)) {
                    counts.merge("second mean", 1, Integer::sum);
                    return null;
                }
            }
            return "has the mean " + List.of(mean[0], mean[1], mean[2]) + ", expected " + expected.get("mean_rgb");
        }
        counts.merge("mean compared", 1, Integer::sum);
        JsonNode grid = expected.path("grid4x4");
        if (grid.isEmpty() || !hasMainSize || image.width() < 2 * CELLS || image.height() < 2 * CELLS) {
            return null;
        }
        counts.merge("grid compared", 1, Integer::sum);
        for (int i = 0; i < CELLS * CELLS; i++) {
            int left = i % CELLS * image.width() / CELLS;
            int top = i / CELLS * image.height() / CELLS;
            double[] cell = mean(
                    image,
                    left,
                    top,
                    (i % CELLS + 1) * image.width() / CELLS,
                    (i / CELLS + 1) * image.height() / CELLS);
            if (!isNear(grid.get(i), cell, Math.max(tolerance, CELL_TOLERANCE))) {
                return "has the mean " + List.of(cell[0], cell[1], cell[2]) + " in cell " + i + ", expected "
                        + grid.get(i);
            }
        }
        return null;
    }

    private static boolean isNear(JsonNode expected, double[] mean, double tolerance) {
        for (int band = 0; band < 3; band++) {
            if (Math.abs(expected.get(band).asDouble() - mean[band]) > tolerance) {
                return false;
            }
        }
        return true;
    }

    private static double[] mean(RgbImage image, int left, int top, int right, int bottom) {
        double[] mean = new double[3];
        for (int band = 0; band < 3; band++) {
            long sum = 0;
            for (int y = top; y < bottom; y++) {
                for (int x = left; x < right; x++) {
                    sum += image.rgb()[3 * (y * image.width() + x) + band] & 0xff;
                }
            }
            mean[band] = Math.round(100.0 * sum / ((long) (right - left) * (bottom - top))) / 100.0;
        }
        return mean;
    }
}
