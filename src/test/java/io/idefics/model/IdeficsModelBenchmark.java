package io.idefics.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.ModelDirectory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * Times the three parts of an answer on a checkpoint: encoding of a picture, prefill of a prompt, and decode of one token
 * at a time. {@code src/benchmark} runs it in turn with the reference implementation.
 *
 * <p>Arguments: a checkpoint directory, the compute type, the prompt's tokens, the tokens to decode, and then, if not the
 * default, the quantization and the layout. Prints the medians in milliseconds as one line of JSON.
 */
public final class IdeficsModelBenchmark {

    private static final int ROUNDS = 5;

    private final IdeficsModel model;
    private final List<PixelValues> picture;
    private final int[] prompt;
    private final int decodeTokens;

    private IdeficsModelBenchmark(IdeficsModel model, int promptTokens, int decodeTokens) {
        this.model = model;
        this.decodeTokens = decodeTokens;
        Random random = new Random(1);
        int size = model.config().visionConfig().imageSize();
        float[] values = new float[3 * size * size];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        this.picture = List.of(new PixelValues(values, size));
        this.prompt = random.ints(promptTokens, 3, model.config().vocabSize()).toArray();
    }

    public static void main(String[] arguments) throws Exception {
        ModelDirectory directory = ModelDirectory.open(Path.of(arguments[0]));
        ComputeType type = ComputeType.valueOf(arguments[1].toUpperCase(Locale.ROOT));
        IdeficsModel.prepareThread();
        LoadOptions options = LoadOptions.of(type, "cpu");
        if (arguments.length > 4) {
            options = options.withQuantization(Quantization.valueOf(arguments[4].toUpperCase(Locale.ROOT)));
        }
        if (arguments.length > 5) {
            options = options.withLayout(WeightLayout.valueOf(arguments[5].toUpperCase(Locale.ROOT)));
        }
        long start = System.nanoTime();
        try (CheckpointWeights weights = directory.openWeights();
                IdeficsModel model = IdeficsModel.load(directory.config(), weights, options)) {
            double loadMillis = (System.nanoTime() - start) / 1e6;
            model.warmUp();
            model.allocate(2048, 1, 1);
            IdeficsModelBenchmark benchmark =
                    new IdeficsModelBenchmark(model, Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
            Map<String, Double> result = new LinkedHashMap<>();
            result.put("load_ms", loadMillis);
            result.putAll(benchmark.run());
            System.out.println(new ObjectMapper().writeValueAsString(result));
        }
    }

    private Map<String, Double> run() {
        List<Double> encode = new ArrayList<>();
        List<Double> prefill = new ArrayList<>();
        List<Double> decode = new ArrayList<>();
        for (int round = 0; round <= ROUNDS; round++) {
            long start = System.nanoTime();
            model.beginEncoding(picture);
            model.advanceEncoding(model.encodingLayers());
            model.endEncoding(new int[] {0});
            model.projectImages(new int[] {0}, new int[] {0});
            long encoded = System.nanoTime();
            model.forward(step(prompt, 0));
            long prefilled = System.nanoTime();
            for (int i = 0; i < decodeTokens; i++) {
                model.forward(step(new int[] {7 + i}, prompt.length + i));
            }
            long decoded = System.nanoTime();
            if (round > 0) { // the first round warms up
                encode.add((encoded - start) / 1e6);
                prefill.add((prefilled - encoded) / 1e6);
                decode.add((decoded - prefilled) / 1e6 / decodeTokens);
            }
        }
        Map<String, Double> result = new LinkedHashMap<>();
        result.put("encode_ms", median(encode));
        result.put("prefill_ms", median(prefill));
        result.put("decode_ms_per_token", median(decode));
        return result;
    }

    /** The next tokens, all of which see the picture. */
    private static Step step(int[] ids, int past) {
        return new Step(List.of(new Step.Row(ids, past, new int[] {0, past + ids.length}, new int[ids.length], 1)));
    }

    private static double median(List<Double> values) {
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).toArray();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
