package io.idefics.model;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.model.WeightPlan.PlannedTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * Times the parts of an answer on a checkpoint: encoding of a picture, prefill of a prompt, decode of one token at a
 * time, and decode of a batch of conversations that have a picture each, with and without new ones that arrive.
 * {@code src/benchmark} runs it in turn with the reference implementation.
 *
 * <p>The share of the roof is how near decode comes to reading the weights of a token once at the speed of memory, which
 * is measured by summing up a large array.
 *
 * <p>Arguments: a checkpoint directory, the compute type, the prompt's tokens, the tokens to decode, the conversations of
 * the batch, and if wanted the quantisation and the layout. Prints the medians as one line of JSON.
 */
public final class IdeficsModelBenchmark {

    private static final int ROUNDS = 5;
    private static final int BATCH_PROMPT = 64;
    private static final int ROOM = 1024;

    /** Steps of the batch until the next conversation is replaced by a new one, with a new picture. */
    private static final int STEPS_PER_ARRIVAL = 4;

    private final IdeficsModel model;
    private final List<PixelValues> pictures = new ArrayList<>();
    private final int[] prompt;
    private final int decodeTokens;
    private final int batch;

    private IdeficsModelBenchmark(IdeficsModel model, int promptTokens, int decodeTokens, int batch) {
        this.model = model;
        this.decodeTokens = decodeTokens;
        this.batch = batch;
        Random random = new Random(1);
        int size = model.config().visionConfig().imageSize();
        for (int image = 0; image < batch; image++) {
            float[] values = new float[3 * size * size];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            pictures.add(new PixelValues(values, size));
        }
        this.prompt = random.ints(promptTokens, 3, model.config().vocabSize()).toArray();
    }

    public static void main(String[] arguments) throws Exception {
        Thread worker = new Thread(() -> run(arguments), "benchmark"); // as the engine does, on a thread of its own
        worker.start();
        worker.join();
    }

    private static void run(String[] arguments) {
        ModelDirectory directory = ModelDirectory.open(Path.of(arguments[0]));
        ComputeType type = ComputeType.valueOf(arguments[1].toUpperCase(Locale.ROOT));
        int batch = Integer.parseInt(arguments[4]);
        IdeficsModel.prepareThread();
        LoadOptions options = LoadOptions.of(type, "cpu");
        if (arguments.length > 5) {
            options = options.withQuantization(Quantization.valueOf(arguments[5].toUpperCase(Locale.ROOT)));
        }
        if (arguments.length > 6) {
            options = options.withLayout(WeightLayout.valueOf(arguments[6].toUpperCase(Locale.ROOT)));
        }
        long start = System.nanoTime();
        try (CheckpointWeights weights = directory.openWeights();
                IdeficsModel model = IdeficsModel.load(directory.config(), weights, options)) {
            double loadMillis = (System.nanoTime() - start) / 1e6;
            model.warmUp();
            model.allocate(ROOM * (batch + 2), batch, batch);
            IdeficsModelBenchmark benchmark = new IdeficsModelBenchmark(
                    model, Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]), batch);
            Map<String, Double> result = new LinkedHashMap<>();
            result.put("load_ms", loadMillis);
            result.putAll(benchmark.run());
            double bytes = decodeBytes(directory.config(), type, options.quantization());
            double roof = readBandwidth();
            result.put("decode_bytes", bytes);
            result.put("read_gb_per_s", roof / 1e9);
            result.put("share_of_roof", bytes / roof * 1e3 / result.get("decode_ms_per_token"));
            System.out.println(new ObjectMapper().writeValueAsString(result));
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private Map<String, Double> run() {
        List<Double> encode = new ArrayList<>();
        List<Double> prefill = new ArrayList<>();
        List<Double> decode = new ArrayList<>();
        List<Double> batched = new ArrayList<>();
        List<Double> joined = new ArrayList<>();
        for (int round = 0; round <= ROUNDS; round++) {
            long start = System.nanoTime();
            encode(0);
            long encoded = System.nanoTime();
            project(0);
            model.forward(new Step(List.of(row(0, prompt, 0))));
            long prefilled = System.nanoTime();
            for (int i = 0; i < decodeTokens; i++) {
                model.forward(new Step(List.of(row(0, new int[] {7 + i}, prompt.length + i))));
            }
            long decoded = System.nanoTime();
            if (round > 0) { // the first round warms up
                encode.add((encoded - start) / 1e6);
                prefill.add((prefilled - encoded) / 1e6);
                decode.add((decoded - prefilled) / 1e6 / decodeTokens);
            }
        }
        for (int image = 1; image < batch; image++) {
            encode(image);
            project(image);
        }
        int[] shortPrompt = Arrays.copyOf(prompt, BATCH_PROMPT);
        for (int row = 0; row < batch; row++) {
            model.forward(new Step(List.of(row(row, shortPrompt, 0))));
        }
        for (int round = 0; round <= ROUNDS; round++) {
            long start = System.nanoTime();
            for (int i = 0; i < decodeTokens; i++) {
                decodeBatch(i);
            }
            long decoded = System.nanoTime();
            for (int i = 0; i < decodeTokens; i++) {
                if (i % STEPS_PER_ARRIVAL == 0) {
                    int row = i / STEPS_PER_ARRIVAL % batch;
                    encode(row);
                    project(row);
                    model.forward(new Step(List.of(row(row, shortPrompt, 0))));
                }
                decodeBatch(i);
            }
            if (round > 0) {
                batched.add((decoded - start) / 1e6 / decodeTokens);
                joined.add((System.nanoTime() - decoded) / 1e6 / decodeTokens);
            }
        }
        Map<String, Double> result = new LinkedHashMap<>();
        result.put("encode_ms", median(encode));
        result.put("prefill_ms", median(prefill));
        result.put("decode_ms_per_token", median(decode));
        result.put("batch_ms_per_step", median(batched));
        result.put("batch_with_arrivals_ms_per_step", median(joined));
        return result;
    }

    private void encode(int image) {
        model.beginEncoding(List.of(pictures.get(image)));
        model.advanceEncoding(model.encodingLayers());
        model.endEncoding(new int[] {image});
    }

    /** Keys and values of the gated blocks, which the reference computes with every step: in its prefill for the first. */
    private void project(int image) {
        model.projectImages(new int[] {image}, new int[] {image});
    }

    private void decodeBatch(int step) {
        List<Step.Row> rows = new ArrayList<>();
        for (int row = 0; row < batch; row++) {
            rows.add(row(row, new int[] {7 + step + row}, BATCH_PROMPT + step));
        }
        model.forward(new Step(rows));
    }

    /** The next tokens of a conversation, all of which see its picture. */
    private static Step.Row row(int conversation, int[] ids, int past) {
        int[] images = new int[ids.length];
        Arrays.fill(images, conversation);
        int slot = conversation * ROOM;
        return new Step.Row(ids, past, new int[] {slot, slot + past + ids.length}, images, 1);
    }

    /** The bytes of the tensors that a token goes through: all but those that images alone need, and the embeddings. */
    private static double decodeBytes(IdeficsConfig config, ComputeType type, Quantization quantization) {
        LoadOptions options = LoadOptions.of(type, "cpu").withQuantization(quantization);
        double bytes = 0;
        for (PlannedTensor tensor : WeightPlan.of(config, name -> type.stored(), options, MatrixKernels.PLAIN)
                .tensors()) {
            String name = tensor.name();
            boolean decoder = name.startsWith("model.layers.") || name.startsWith("lm_head.");
            boolean gated = name.startsWith("model.gated_cross_attn_layers.")
                    && !name.contains(".cross_attn.k_proj.")
                    && !name.contains(".cross_attn.v_proj.");
            if (decoder || gated || name.equals("model.norm.weight")) {
                bytes += tensor.bytes();
            }
        }
        return bytes;
    }

    /** How many bytes a second are read when a gigabyte is summed up. */
    private static double readBandwidth() {
        long numbers = 1L << 28;
        double best = 0;
        try (NDManager manager = NDManager.newBaseManager(Device.cpu());
                NDArray array = manager.zeros(new Shape(numbers))) {
            for (int i = 0; i < 12; i++) {
                long start = System.nanoTime();
                try (NDArray sum = array.sum()) {
                    sum.toFloatArray();
                }
                best = Math.max(best, numbers * 4e9 / (System.nanoTime() - start));
            }
        }
        return best;
    }

    private static double median(List<Double> values) {
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).toArray();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
