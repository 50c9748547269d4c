package io.idefics.engine;

import io.idefics.generation.Priority;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import java.util.Arrays;
import java.util.List;

/** Builds sequences: by default a text prompt of four tokens that wants eight more. */
final class TestSequence {

    private static long arrivals;

    private int[] ids = {1, 2, 3, 4};
    private int[] imageIndex = {-1, -1, -1, -1};
    private List<String> digests = List.of();
    private int maxTokens = 8;
    private String client = "client";
    private Priority priority = Priority.NORMAL;
    private long deadlineNanos = Sequence.NO_DEADLINE;

    static TestSequence prompt(int... ids) {
        TestSequence builder = new TestSequence();
        builder.ids = ids;
        builder.imageIndex = new int[ids.length];
        Arrays.fill(builder.imageIndex, -1);
        return builder;
    }

    /** A prompt of so many tokens, unlike any other that begins with another id. */
    static TestSequence prompt(int firstId, int length) {
        int[] ids = new int[length];
        Arrays.setAll(ids, i -> firstId + i);
        return prompt(ids);
    }

    /** Shows the tokens pictures: the first one from a token on, and so on. */
    TestSequence pictures(List<String> digests, int... firstTokens) {
        this.digests = digests;
        for (int image = 0; image < firstTokens.length; image++) {
            Arrays.fill(imageIndex, firstTokens[image], imageIndex.length, image);
        }
        return this;
    }

    TestSequence picture(String digest) {
        return pictures(List.of(digest), 0);
    }

    TestSequence maxTokens(int maxTokens) {
        this.maxTokens = maxTokens;
        return this;
    }

    TestSequence client(String client) {
        this.client = client;
        return this;
    }

    TestSequence priority(Priority priority) {
        this.priority = priority;
        return this;
    }

    TestSequence deadline(long nanos) {
        this.deadlineNanos = nanos;
        return this;
    }

    ModelInput input() {
        return new ModelInput(
                ids, imageIndex, digests.stream().map(TestSequence::pixels).toList());
    }

    Sequence build() {
        return build(input());
    }

    /** One more sequence for the same input object. */
    Sequence build(ModelInput input) {
        return new Sequence(input, digests, maxTokens, -1, client, priority, arrivals++, deadlineNanos);
    }

    static PixelValues pixels(String digest) {
        return new PixelValues(new float[] {digest.hashCode()}, 1);
    }
}
