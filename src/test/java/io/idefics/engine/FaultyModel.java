package io.idefics.engine;

import io.idefics.model.PixelValues;
import io.idefics.model.Step;
import io.idefics.model.VisionTextModel;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;

/** A model that fails now and then: it throws, runs out of memory, or computes no numbers. */
final class FaultyModel implements VisionTextModel {

    /** How the message of what it throws begins. */
    static final String INJECTED = "injected: ";

    final AtomicLong faults = new AtomicLong();
    final AtomicLong nanRows = new AtomicLong();
    volatile boolean failing;
    private final VisionTextModel model;
    private final SplittableRandom random;
    private final int poison;

    /** @param poison a token that fails every step that it is in */
    FaultyModel(VisionTextModel model, long seed, int poison) {
        this.model = model;
        this.random = new SplittableRandom(seed);
        this.poison = poison;
    }

    @Override
    public int vocabularySize() {
        return model.vocabularySize();
    }

    @Override
    public int encodingLayers() {
        return model.encodingLayers();
    }

    @Override
    public void allocate(int tokenSlots, int imageSlots, int latentSlots) {
        model.allocate(tokenSlots, imageSlots, latentSlots);
    }

    @Override
    public void beginEncoding(List<PixelValues> images) {
        failOnceIn(200, "pictures that cannot be read");
        model.beginEncoding(images);
    }

    @Override
    public boolean advanceEncoding(int layers) {
        failOnceIn(400, "CUDA out of memory in the vision tower");
        return model.advanceEncoding(layers);
    }

    @Override
    public void endEncoding(int[] latentSlots) {
        model.endEncoding(latentSlots);
        failOnceIn(400, "after the latents were stored");
    }

    @Override
    public void abandonEncoding() {
        model.abandonEncoding();
    }

    @Override
    public void projectImages(int[] latentSlots, int[] imageSlots) {
        model.projectImages(latentSlots, imageSlots);
        failOnceIn(200, "after a projection");
    }

    @Override
    public float[][] forward(Step step) {
        if (step.rows().stream().anyMatch(row -> Arrays.stream(row.inputIds()).anyMatch(id -> id == poison))) {
            throw fault("a poisoned row");
        }
        failOnceIn(300, "before a step");
        failOnceIn(3000, "DefaultCPUAllocator: can't allocate memory");
        float[][] logits = model.forward(step);
        failOnceIn(300, "after a step");
        if (logits.length > 0 && isDue(500)) {
            nanRows.incrementAndGet();
            Arrays.fill(logits[random.nextInt(logits.length)], Float.NaN);
        }
        return logits;
    }

    @Override
    public void close() {
        model.close();
    }

    private void failOnceIn(int calls, String message) {
        if (isDue(calls)) {
            throw fault(message);
        }
    }

    private boolean isDue(int calls) {
        return failing && random.nextInt(calls) == 0;
    }

    private IllegalStateException fault(String message) {
        faults.incrementAndGet();
        return new IllegalStateException(INJECTED + message);
    }
}
