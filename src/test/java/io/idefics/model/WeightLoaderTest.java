package io.idefics.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.checkpoint.SafetensorsFile;
import io.idefics.testing.MiniEvaluation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The ways of the weights into memory, on the embedded model. */
class WeightLoaderTest {

    private static final List<String> PORTABLE = List.of("portable.py");
    private static final int[] PROMPT = {1, 40, 300, 7, 512, 99, 640, 13};

    @TempDir
    Path temp;

    /** Perplexities tell of accuracy; this tells that each kind of product is what its weights say. */
    @ParameterizedTest
    @CsvSource({
        "FLOAT32, NONE, 1e-6",
        "BFLOAT16, NONE, 0.02",
        "FLOAT32, INT8, 0.02",
        "BFLOAT16, INT8, 0.03",
        "FLOAT32, INT4, 0.2",
        "BFLOAT16, INT4, 0.2"
    })
    void load_portableKernels_computeAlmostTheSame(ComputeType type, Quantization quantization, double tolerance) {
        LoadOptions options = LoadOptions.of(type, "cpu").withQuantization(quantization);

        for (int repeats : new int[] {1, 20}) { // few rows and many take different products
            float[] expected = logits(LoadOptions.of(ComputeType.FLOAT32, "cpu"), ModelProgram.KERNELS, repeats);
            assertThat(distance(logits(options, PORTABLE, repeats), expected)).isLessThanOrEqualTo(tolerance);
            assertThat(distance(logits(options, ModelProgram.KERNELS, repeats), expected))
                    .isLessThanOrEqualTo(tolerance);
        }
    }

    @Test
    void load_int8InFloat32_isMoreExactThanBfloat16() {
        LoadOptions exact = LoadOptions.of(ComputeType.FLOAT32, "cpu").withQuantization(Quantization.INT8);
        float[] expected = logits(exact, PORTABLE, 1); // 8-bit weights, float32 products

        assertThat(distance(logits(exact, ModelProgram.KERNELS, 1), expected)).isLessThan(1e-3);
    }

    @Test
    void load_kernelsThatDoNotCompile_takesTheNext() {
        List<String> kernels = List.of("missing-operator.py", "portable.py");
        LoadOptions options = LoadOptions.of(ComputeType.FLOAT32, "cpu");

        assertThat(distance(logits(options, kernels, 1), logits(options, PORTABLE, 1)))
                .isZero();
    }

    @Test
    void load_noKernelsCompile_throws() {
        LoadOptions options = LoadOptions.of(ComputeType.FLOAT32, "cpu");

        assertThatThrownBy(() -> logits(options, List.of("missing-operator.py"), 1))
                .hasMessageContaining("Unknown builtin op: nowhere::pack");
    }

    @ParameterizedTest
    @EnumSource(Quantization.class)
    void load_listener_hearsOfAllBytesInOrder(Quantization quantization) {
        List<Long> done = new ArrayList<>();
        List<Long> totals = new ArrayList<>();
        LoadListener listener = (bytes, total) -> {
            done.add(bytes);
            totals.add(total);
        };

        logits(
                LoadOptions.of(ComputeType.BFLOAT16, "cpu")
                        .withQuantization(quantization)
                        .withListener(listener),
                ModelProgram.KERNELS,
                1);

        assertThat(done).isSorted().hasSizeGreaterThan(100);
        assertThat(totals).containsOnly(done.get(done.size() - 1));
    }

    @Test
    void load_interrupted_stops() {
        List<Long> heard = new ArrayList<>();
        LoadOptions options = LoadOptions.of(ComputeType.BFLOAT16, "cpu").withListener((bytes, total) -> {
            heard.add(bytes);
            Thread.currentThread().interrupt();
        });
        try {
            assertThatThrownBy(() -> logits(options, ModelProgram.KERNELS, 1))
                    .isInstanceOf(CancellationException.class);
            assertThat(heard).hasSize(1);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void quantizedCache_secondLoad_usesTheFileOfTheFirst() throws IOException {
        for (Quantization quantization : List.of(Quantization.INT8, Quantization.INT4)) {
            LoadOptions options = LoadOptions.of(ComputeType.BFLOAT16, "cpu").withQuantization(quantization);
            LoadOptions kept = options.withQuantizedCache(temp.resolve(quantization.name()));

            float[] first = logits(kept, ModelProgram.KERNELS, 1);
            Path file = onlyFile(temp.resolve(quantization.name()));
            corruptLastValues(file);
            float[] second = logits(kept, ModelProgram.KERNELS, 1);

            assertThat(distance(first, logits(options, ModelProgram.KERNELS, 1)))
                    .isZero();
            assertThat(distance(second, first)).isPositive(); // so it is the file that was read
        }
    }

    @Test
    void quantizedCache_untouched_givesTheSameLogits() throws IOException {
        for (Quantization quantization : List.of(Quantization.INT8, Quantization.INT4)) {
            LoadOptions kept = LoadOptions.of(ComputeType.BFLOAT16, "cpu")
                    .withQuantization(quantization)
                    .withQuantizedCache(temp.resolve(quantization.name()));
            float[] first = logits(kept, ModelProgram.KERNELS, 1);
            FileTime written = Files.getLastModifiedTime(onlyFile(temp.resolve(quantization.name())));

            assertThat(distance(logits(kept, ModelProgram.KERNELS, 1), first)).isZero();
            assertThat(distance(logits(kept, PORTABLE, 1), first)).isLessThan(0.1);
            assertThat(Files.getLastModifiedTime(onlyFile(temp.resolve(quantization.name()))))
                    .isEqualTo(written);
        }
    }

    @Test
    void quantizedCache_truncatedOrForeign_isWrittenAnew() throws IOException {
        LoadOptions options = LoadOptions.of(ComputeType.FLOAT32, "cpu")
                .withQuantization(Quantization.INT8)
                .withQuantizedCache(temp);
        float[] expected = logits(options, ModelProgram.KERNELS, 1);
        Path file = onlyFile(temp);
        byte[] whole = Files.readAllBytes(file);

        byte[][] damaged = {
            {}, {1, 2, 3}, new byte[4096], Arrays.copyOf(whole, whole.length - 1), replaced(whole, "\"version\":\"1\"")
        };
        for (byte[] content : damaged) {
            Files.write(file, content);
            assertThat(distance(logits(options, ModelProgram.KERNELS, 1), expected))
                    .isZero();
            assertThat(Arrays.equals(Files.readAllBytes(onlyFile(temp)), whole)).isTrue();
        }
    }

    @Test
    void quantizedCache_checkpointTouched_isWrittenAnew() throws IOException {
        Path checkpoint = temp.resolve("checkpoint");
        Files.createDirectories(checkpoint);
        try (Stream<Path> files = Files.list(MiniEvaluation.MODEL)) {
            for (Path file : files.toList()) {
                Files.copy(file, checkpoint.resolve(file.getFileName()));
            }
        }
        LoadOptions options = LoadOptions.of(ComputeType.FLOAT32, "cpu")
                .withQuantization(Quantization.INT8)
                .withQuantizedCache(temp.resolve("kept"));
        float[] expected = logits(checkpoint, options, ModelProgram.KERNELS, 1);
        corruptLastValues(onlyFile(temp.resolve("kept")));
        Files.setLastModifiedTime(checkpoint.resolve("model.safetensors"), FileTime.fromMillis(1_000_000_000_000L));

        assertThat(distance(logits(checkpoint, options, ModelProgram.KERNELS, 1), expected))
                .isZero();
    }

    @Test
    void quantizedCache_directoryCannotBeWritten_loadsAllTheSame() throws IOException {
        Path file = Files.createFile(temp.resolve("a file"));
        LoadOptions options = LoadOptions.of(ComputeType.FLOAT32, "cpu").withQuantization(Quantization.INT8);

        float[] expected = logits(options, ModelProgram.KERNELS, 1);
        float[] actual = logits(options.withQuantizedCache(file.resolve("below")), ModelProgram.KERNELS, 1);

        assertThat(distance(actual, expected)).isZero();
    }

    /** Turns the last bytes of the file, which are scales, into zeros. */
    private static void corruptLastValues(Path file) throws IOException {
        FileTime time = Files.getLastModifiedTime(file);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1024), channel.size() - 1024);
        }
        Files.setLastModifiedTime(file, time);
        SafetensorsFile.open(file).close(); // it is still well formed
    }

    private static byte[] replaced(byte[] content, String text) {
        String latin = new String(content, StandardCharsets.ISO_8859_1);
        assertThat(latin).contains(text);
        return latin.replace(text, text.replace('1', '0')).getBytes(StandardCharsets.ISO_8859_1);
    }

    private static Path onlyFile(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            List<Path> all = files.toList();
            assertThat(all).hasSize(1);
            return all.get(0);
        }
    }

    private static float[] logits(LoadOptions options, List<String> kernels, int repeats) {
        return logits(MiniEvaluation.MODEL, options, kernels, repeats);
    }

    /** The logits after the prompt, repeated, beside a picture. */
    private static float[] logits(Path checkpoint, LoadOptions options, List<String> kernels, int repeats) {
        IdeficsModel.prepareThread();
        ModelDirectory directory = ModelDirectory.open(checkpoint);
        int size = directory.config().visionConfig().imageSize();
        float[] pixels = new float[3 * size * size];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = (float) Math.sin(i * 0.01);
        }
        int[] ids = new int[PROMPT.length * repeats];
        for (int t = 0; t < ids.length; t++) {
            ids[t] = PROMPT[t % PROMPT.length];
        }
        try (CheckpointWeights weights = directory.openWeights();
                IdeficsModel model = IdeficsModel.load(directory.config(), weights, options, kernels)) {
            List<PixelValues> picture = List.of(new PixelValues(pixels, size));
            return model.run(new ModelInput(ids, new int[ids.length], picture), 1)[0];
        }
    }

    /** The length of the difference, relative to the length of the expected logits. */
    private static double distance(float[] actual, float[] expected) {
        double difference = 0;
        double length = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += Math.pow(actual[i] - expected[i], 2);
            length += Math.pow(expected[i], 2);
        }
        return Math.sqrt(difference / length);
    }
}
