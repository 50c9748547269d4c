package io.idefics.service;

import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.model.ComputeType;
import io.idefics.model.IdeficsModel;
import io.idefics.model.LoadOptions;
import io.idefics.model.ModelInput;
import io.idefics.model.Quantization;
import io.idefics.tokenizer.IdeficsTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells what quantisation costs: the perplexity of given texts under the unquantised model and each quantisation, and how
 * often the most probable token is the same.
 *
 * <p>{@link #main} takes a checkpoint directory and a text file, and logs a table. Without a text it takes random tokens,
 * which is enough to see that a checkpoint survives quantisation.
 */
public final class QuantizationReport {

    private static final Logger log = LoggerFactory.getLogger(QuantizationReport.class);

    /** Tokens of one sample of a text. */
    private static final int SAMPLE_TOKENS = 256;

    private static final int RANDOM_SAMPLES = 2;
    private static final int RANDOM_TOKENS = 32;

    /**
     * A sequence whose last tokens are to be foretold.
     *
     * @param input the whole sequence
     * @param context how many tokens come before those that are to be foretold, at least 1
     */
    public record Sample(ModelInput input, int context) {}

    /**
     * How well a model foretells the samples.
     *
     * @param perplexity e to the mean negative logarithm of the probability of a token
     * @param agreement the share of tokens where the most probable is that of the unquantised model
     * @param meanDivergence the mean Kullback-Leibler divergence from the unquantised model, in nats
     * @param tokens how many were foretold
     */
    public record Quality(
            Quantization quantization, double perplexity, double agreement, double meanDivergence, int tokens) {}

    private QuantizationReport() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 1 || arguments.length > 2) {
            throw new IllegalArgumentException("Arguments: a checkpoint directory, and a text file or nothing");
        }
        ModelDirectory directory = ModelDirectory.open(Path.of(arguments[0]));
        List<Sample> samples =
                arguments.length == 2 ? text(directory, Files.readString(Path.of(arguments[1]))) : random(directory);
        log.info("{}", table(compare(directory, ComputeType.BFLOAT16, samples)));
    }

    /** Loads the model once for each quantisation, on the CPU, and runs the samples. The first result is unquantised. */
    public static List<Quality> compare(ModelDirectory directory, ComputeType type, List<Sample> samples) {
        IdeficsModel.prepareThread();
        List<Quality> qualities = new ArrayList<>();
        List<float[][]> reference = List.of();
        for (Quantization quantization : Quantization.values()) {
            LoadOptions options = LoadOptions.of(type, "cpu").withQuantization(quantization);
            try (CheckpointWeights weights = directory.openWeights();
                    IdeficsModel model = IdeficsModel.load(directory.config(), weights, options)) {
                List<float[][]> logProbabilities = samples.stream()
                        .map(sample -> logProbabilities(model, sample))
                        .toList();
                if (quantization == Quantization.NONE) {
                    reference = logProbabilities;
                }
                qualities.add(quality(quantization, samples, logProbabilities, reference));
            }
        }
        return qualities;
    }

    /** The results as lines of columns. */
    static String table(List<Quality> qualities) {
        StringBuilder table = new StringBuilder("quantization   perplexity   same token   divergence   tokens");
        for (Quality quality : qualities) {
            table.append(String.format(
                    Locale.ROOT,
                    "%n%-12s %12.4f %11.2f%% %12.5f %8d",
                    quality.quantization().name().toLowerCase(Locale.ROOT),
                    quality.perplexity(),
                    100 * quality.agreement(),
                    quality.meanDivergence(),
                    quality.tokens()));
        }
        return table.toString();
    }

    private static List<Sample> text(ModelDirectory directory, String text) {
        try (IdeficsTokenizer tokenizer = IdeficsTokenizer.load(directory.tokenizerJson())) {
            int[] ids = tokenizer.encode(text);
            List<Sample> samples = new ArrayList<>();
            for (int start = 0; start < ids.length; start += SAMPLE_TOKENS) {
                int[] part = Arrays.copyOfRange(ids, start, Math.min(start + SAMPLE_TOKENS, ids.length));
                samples.add(sample(directory, part));
            }
            return samples;
        }
    }

    private static List<Sample> random(ModelDirectory directory) {
        Random random = new Random(1);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < RANDOM_SAMPLES; i++) {
            int vocabulary = directory.config().vocabSize();
            samples.add(
                    sample(directory, random.ints(RANDOM_TOKENS, 0, vocabulary).toArray()));
        }
        return samples;
    }

    private static Sample sample(ModelDirectory directory, int[] ids) {
        int[] sequence = new int[ids.length + 1];
        sequence[0] = directory.config().bosTokenId();
        System.arraycopy(ids, 0, sequence, 1, ids.length);
        int[] noImage = new int[sequence.length];
        Arrays.fill(noImage, -1);
        return new Sample(new ModelInput(sequence, noImage, List.of()), 1);
    }

    /** The logarithms of the probabilities of all tokens, at each position that foretells one. */
    private static float[][] logProbabilities(IdeficsModel model, Sample sample) {
        ModelInput input = sample.input();
        int foretold = input.inputIds().length - sample.context();
        float[][] rows = Arrays.copyOf(model.run(input, foretold + 1), foretold); // the last foretells what comes after
        for (float[] row : rows) {
            normalise(row);
        }
        return rows;
    }

    private static void normalise(float[] logits) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        float logSum = (float) (max + Math.log(sum));
        for (int i = 0; i < logits.length; i++) {
            logits[i] -= logSum;
        }
    }

    private static Quality quality(
            Quantization quantization, List<Sample> samples, List<float[][]> actual, List<float[][]> reference) {
        double loss = 0;
        double divergence = 0;
        int same = 0;
        int tokens = 0;
        for (int s = 0; s < samples.size(); s++) {
            int[] ids = samples.get(s).input().inputIds();
            float[][] rows = actual.get(s);
            for (int t = 0; t < rows.length; t++) {
                float[] expected = reference.get(s)[t];
                loss -= rows[t][ids[samples.get(s).context() + t]];
                divergence += divergence(expected, rows[t]);
                same += argmax(rows[t]) == argmax(expected) ? 1 : 0;
                tokens++;
            }
        }
        return new Quality(quantization, Math.exp(loss / tokens), (double) same / tokens, divergence / tokens, tokens);
    }

    private static double divergence(float[] expected, float[] actual) {
        double sum = 0;
        for (int i = 0; i < expected.length; i++) {
            sum += Math.exp(expected[i]) * (expected[i] - actual[i]);
        }
        return sum;
    }

    private static int argmax(float[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best;
    }
}
