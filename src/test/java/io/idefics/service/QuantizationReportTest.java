package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.image.IdeficsImageProcessor;
import io.idefics.image.ImageDecoder;
import io.idefics.image.ImageLimits;
import io.idefics.model.ComputeType;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.model.Quantization;
import io.idefics.processing.ImageAttentionMask;
import io.idefics.service.QuantizationReport.Quality;
import io.idefics.service.QuantizationReport.Sample;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Reference;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.SpecialTokens;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What quantisation costs the embedded model, on the questions whose answers the reference gave. */
class QuantizationReportTest {

    private static final Logger log = LoggerFactory.getLogger(QuantizationReportTest.class);

    @Test
    void compare_miniModel_losesAsLittleAsMeasured() {
        ModelDirectory directory = ModelDirectory.open(MiniEvaluation.MODEL);

        List<Quality> qualities = QuantizationReport.compare(directory, ComputeType.BFLOAT16, samples(directory));

        qualities.forEach(quality -> log.info("{}", quality));
        assertThat(qualities).extracting(Quality::quantization).containsExactly(Quantization.values());
        Quality none = qualities.get(0);
        Quality int8 = qualities.get(1);
        Quality int4 = qualities.get(2);
        assertThat(none.tokens()).isGreaterThan(300);
        assertThat(none.agreement()).isEqualTo(1);
        assertThat(int8.agreement()).isGreaterThan(0.99);
        assertThat(int8.perplexity() / none.perplexity()).isBetween(0.995, 1.005);
        assertThat(int8.meanDivergence()).isBetween(1e-9, 2e-4);
        assertThat(int4.agreement()).isGreaterThan(0.98);
        assertThat(int4.perplexity() / none.perplexity()).isBetween(0.99, 1.02);
        assertThat(int4.meanDivergence()).isBetween(int8.meanDivergence(), 2e-3);
    }

    /** Every question with the answer of the reference. */
    private static List<Sample> samples(ModelDirectory directory) {
        var preprocessor = directory.preprocessorConfig();
        IdeficsImageProcessor processor = new IdeficsImageProcessor(
                preprocessor.imageSize(), floats(preprocessor.imageMean()), floats(preprocessor.imageStd()));
        SpecialTokens special = specialTokens(directory);
        List<Sample> samples = new ArrayList<>();
        for (Reference reference : MiniEvaluation.references()) {
            JsonNode messages = MiniEvaluation.question(reference.id()).messages();
            int[] ids = IntStream.concat(
                            reference.promptIds().stream().mapToInt(id -> id),
                            reference.bfloat16Ids().stream().mapToInt(id -> id))
                    .toArray();
            List<PixelValues> images = images(processor, messages);
            int[] imageIndex = ImageAttentionMask.imageIndex(ids, special.image(), special.eos(), images.size());
            samples.add(new Sample(
                    new ModelInput(ids, imageIndex, images),
                    reference.promptIds().size()));
        }
        return samples;
    }

    private static SpecialTokens specialTokens(ModelDirectory directory) {
        try (IdeficsTokenizer tokenizer = IdeficsTokenizer.load(directory.tokenizerJson())) {
            return tokenizer.specialTokens();
        }
    }

    private static List<PixelValues> images(IdeficsImageProcessor processor, JsonNode messages) {
        ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), false, 100_000_000);
        List<PixelValues> images = new ArrayList<>();
        for (JsonNode turn : messages) {
            for (JsonNode part : turn.get("content")) {
                if (MiniEvaluation.isImage(part)) {
                    float[] pixels = processor.pixelValues(decoder.decode(MiniEvaluation.file(part), "image"));
                    images.add(new PixelValues(pixels, processor.imageSize()));
                }
            }
        }
        return images;
    }

    private static float[] floats(List<Double> values) {
        float[] floats = new float[values.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = values.get(i).floatValue();
        }
        return floats;
    }
}
