package io.idefics.checkpoint;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * How pictures become pixel values, from preprocessor_config.json.
 *
 * @param imageSize side of the square the picture is resized to, in pixels
 * @param imageMean mean of red, green and blue, subtracted from values scaled to 0..1
 * @param imageStd standard deviation of red, green and blue, each above 0
 */
public record PreprocessorConfig(int imageSize, List<Double> imageMean, List<Double> imageStd) {

    private static final int DEFAULT_IMAGE_SIZE = 224;

    /** The statistics of CLIP's training pictures, which the reference image processor defaults to. */
    private static final List<Double> CLIP_MEAN = List.of(0.48145466, 0.4578275, 0.40821073);

    private static final List<Double> CLIP_STD = List.of(0.26862954, 0.26130258, 0.27577711);

    /**
     * Reads the file if there is one; absent keys take the defaults of the reference {@code IdeficsImageProcessor}.
     *
     * @throws CheckpointException naming the file and the key that is malformed or does not fit the model
     */
    static PreprocessorConfig read(Path file, IdeficsConfig model) {
        int modelSize = model.visionConfig().imageSize();
        if (!Files.exists(file)) {
            return new PreprocessorConfig(modelSize, CLIP_MEAN, CLIP_STD);
        }
        JsonSection json = JsonFile.readObject(file, JsonFile.CONFIG_LIMIT);
        int imageSize = json.integer("image_size", 1, Integer.MAX_VALUE, DEFAULT_IMAGE_SIZE);
        if (imageSize != modelSize) {
            throw json.invalid(
                    "image_size", "is " + imageSize + ", but vision_config.image_size of the model is " + modelSize);
        }
        List<Double> std = json.numbers("image_std", 3, CLIP_STD);
        if (std.stream().anyMatch(deviation -> deviation <= 0)) {
            throw json.invalid("image_std", "is " + std + ", expected numbers above 0");
        }
        return new PreprocessorConfig(imageSize, json.numbers("image_mean", 3, CLIP_MEAN), std);
    }
}
