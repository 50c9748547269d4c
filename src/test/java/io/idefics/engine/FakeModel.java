package io.idefics.engine;

import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.model.Step;
import io.idefics.model.Step.Row;
import io.idefics.model.VisionTextModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A model that keeps in each slot what a real one would make keys and values of, and whose logits are a hash of all that
 * a token reads through its slots: a slot that is mixed up, overwritten or never written changes the answer. It fails
 * where a test tells it to.
 */
final class FakeModel implements VisionTextModel {

    static final int VOCABULARY = 64;
    static final int ENCODING_LAYERS = 24;

    /** The most that a hook waits for a test. */
    private static final long PATIENCE_SECONDS = 20;

    /** What a token slot holds: the token, its position and what it saw; {@code broken} keys and values are not numbers. */
    private record Cell(int id, int position, long seen, boolean broken) {}

    /** The contents of a picture whose numbers are none. */
    private static final long BROKEN = Long.MIN_VALUE;

    private static final Cell GARBAGE = new Cell(-1, -1, -1, false);

    /** What a hook learns of a row: its place in the step, and its whole sequence up to its last token. */
    record Run(Row row, List<Integer> ids) {

        boolean has(int id) {
            return ids.contains(id);
        }
    }

    /** Called with all rows before a forward pass; what it throws, the pass throws. */
    volatile Consumer<List<Run>> beforeForward = runs -> {};

    /** Rows whose keys and values, and so all that is computed from them, come out as NaN. */
    volatile Predicate<Run> breaks = run -> false;

    /** Changes the logits that a row keeps. */
    volatile Consumer<Kept> afterForward = kept -> {};

    /** Called with the pictures of a batch that enters the tower. */
    volatile Consumer<List<PixelValues>> beforeEncoding = images -> {};

    /** Called before layers of the tower run. */
    volatile Runnable beforeLayers = () -> {};

    /** Called when a batch is dropped. */
    volatile Runnable beforeAbandoning = () -> {};

    /** Called with the latent slots that are to be projected. */
    volatile Consumer<int[]> beforeProjection = slots -> {};

    /** Called with the latent slots that were written. */
    volatile Consumer<int[]> afterEncoding = slots -> {};

    /** Called before the model is closed. */
    volatile Runnable beforeClose = () -> {};

    /** Whether the latents of pictures come out as NaN. */
    volatile boolean breaksPictures;

    /** The rows of all forward passes so far that succeeded: how many tokens each ran. */
    final List<List<Integer>> steps = Collections.synchronizedList(new ArrayList<>());

    /** The digests of all pictures whose latents were stored. */
    final List<String> encoded = Collections.synchronizedList(new ArrayList<>());

    private @Nullable Cell[] tokens = {};
    private long[] images = {};
    private long[] latents = {};
    private List<PixelValues> tower = List.of();
    private int layer;
    private @Nullable Thread owner;
    private volatile boolean closed;
    private volatile int attempts;

    /** The logits of a row, and the row that they are of. */
    record Kept(Run run, float[] logits) {}

    /** How many forward passes were tried. */
    int attempts() {
        return attempts;
    }

    /** The pictures that are in the tower. */
    List<PixelValues> tower() {
        return tower;
    }

    boolean isClosed() {
        return closed;
    }

    /** Waits in a hook until a test opens the gate; like a native call, it heeds no interrupt. */
    static void await(CountDownLatch gate) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        boolean interrupted = false;
        while (gate.getCount() > 0) {
            if (System.nanoTime() - end > 0) {
                throw new AssertionError("nobody opened the gate");
            }
            try {
                gate.await(1, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** The greedy answer to a request, computed from its tokens and pictures alone. */
    static List<Integer> answer(SequenceRequest request) {
        ModelInput input = request.input();
        List<Integer> answer = new ArrayList<>();
        long hash = 0;
        for (int token = 0; token < input.inputIds().length; token++) {
            hash = next(hash, input.inputIds()[token], token, seen(input, token));
        }
        long last = seen(input, input.inputIds().length - 1);
        while (answer.size() < request.maxTokens()) {
            float[] logits = logits(hash);
            for (int id : request.bannedIds()) {
                logits[id] = Float.NEGATIVE_INFINITY;
            }
            int id = Sampler.argmax(logits);
            answer.add(id);
            if (request.stopIds().contains(id)) {
                break;
            }
            hash = next(hash, id, input.inputIds().length + answer.size() - 1, last);
        }
        return answer;
    }

    /** The logits after each token of a prompt, computed from its tokens and pictures alone, (T, V). */
    static float[][] promptLogits(ModelInput input) {
        float[][] logits = new float[input.inputIds().length][];
        long hash = 0;
        for (int token = 0; token < logits.length; token++) {
            hash = next(hash, input.inputIds()[token], token, seen(input, token));
            logits[token] = logits(hash);
        }
        return logits;
    }

    @Override
    public int vocabularySize() {
        return VOCABULARY;
    }

    @Override
    public int encodingLayers() {
        return ENCODING_LAYERS;
    }

    @Override
    public void allocate(int tokenSlots, int imageSlots, int latentSlots) {
        owner = Thread.currentThread();
        tokens = new Cell[tokenSlots];
        Arrays.fill(tokens, GARBAGE);
        images = new long[imageSlots];
        latents = new long[latentSlots];
    }

    @Override
    public void beginEncoding(List<PixelValues> batch) {
        requireOwner();
        require(tower.isEmpty(), "a batch is in the tower already");
        beforeEncoding.accept(batch);
        tower = List.copyOf(batch);
        layer = 0;
    }

    @Override
    public boolean advanceEncoding(int layers) {
        requireOwner();
        require(!tower.isEmpty(), "no pictures are in the tower");
        beforeLayers.run();
        layer += layers;
        return layer >= ENCODING_LAYERS;
    }

    @Override
    public void endEncoding(int[] latentSlots) {
        requireOwner();
        require(layer >= ENCODING_LAYERS && latentSlots.length == tower.size(), "pictures that are not through");
        for (int i = 0; i < latentSlots.length; i++) {
            latents[latentSlots[i]] =
                    breaksPictures ? BROKEN : content(tower.get(i).digest());
            encoded.add(tower.get(i).digest());
        }
        afterEncoding.accept(latentSlots);
        tower = List.of();
    }

    @Override
    public void abandonEncoding() {
        requireOwner();
        beforeAbandoning.run();
        tower = List.of();
    }

    @Override
    public void projectImages(int[] latentSlots, int[] imageSlots) {
        requireOwner();
        beforeProjection.accept(latentSlots);
        for (int i = 0; i < latentSlots.length; i++) {
            require(latents[latentSlots[i]] != 0, "latent slot " + latentSlots[i] + " is empty");
            images[imageSlots[i]] = latents[latentSlots[i]];
        }
    }

    @Override
    public float[][] forward(Step step) {
        requireOwner();
        attempts++;
        List<Run> runs = step.rows().stream().map(this::run).toList();
        for (Run run : runs) {
            write(run);
        }
        try {
            beforeForward.accept(runs);
        } catch (RuntimeException | Error e) {
            runs.forEach(this::spoil); // a pass that fails half way leaves anything behind
            throw e;
        }
        List<float[]> kept = new ArrayList<>();
        for (Run run : runs) {
            int length = run.row().past() + run.row().inputIds().length;
            for (int end = length - run.row().logitsToKeep() + 1; end <= length; end++) {
                float[] logits = read(run.row(), end);
                afterForward.accept(new Kept(run, logits));
                kept.add(logits);
            }
        }
        steps.add(runs.stream().map(run -> run.row().inputIds().length).toList());
        return kept.toArray(float[][]::new);
    }

    @Override
    public void close() {
        requireOwner();
        beforeClose.run();
        closed = true;
    }

    private Run run(Row row) {
        List<Integer> ids = new ArrayList<>();
        int[] slots = slots(row);
        for (int token = 0; token < row.past(); token++) {
            ids.add(cell(slots[token]).id());
        }
        Arrays.stream(row.inputIds()).forEach(ids::add);
        return new Run(row, List.copyOf(ids));
    }

    private void write(Run run) {
        Row row = run.row();
        int[] slots = slots(row);
        boolean broken = breaks.test(run);
        for (int i = 0; i < row.inputIds().length; i++) {
            int image = row.imageSlots()[i];
            tokens[slots[row.past() + i]] =
                    new Cell(row.inputIds()[i], row.past() + i, image < 0 ? 0 : images[image], broken);
        }
    }

    private void spoil(Run run) {
        int[] slots = slots(run.row());
        for (int token = run.row().past(); token < slots.length; token++) {
            tokens[slots[token]] = GARBAGE;
        }
    }

    private float[] read(Row row, int end) {
        int[] slots = slots(row);
        long hash = 0;
        for (int token = 0; token < end; token++) {
            Cell cell = cell(slots[token]);
            if (cell.broken() || cell.seen() == BROKEN) {
                float[] nothing = new float[VOCABULARY];
                Arrays.fill(nothing, Float.NaN);
                return nothing;
            }
            hash = next(hash, cell.id(), cell.position(), cell.seen());
        }
        return logits(hash);
    }

    private Cell cell(int slot) {
        Cell cell = tokens[slot];
        return cell == null ? GARBAGE : cell;
    }

    private static int[] slots(Row row) {
        int[] slots = new int[row.past() + row.inputIds().length];
        int token = 0;
        for (int run = 0; run < row.cacheRuns().length; run += 2) {
            for (int slot = row.cacheRuns()[run]; slot < row.cacheRuns()[run + 1]; slot++) {
                slots[token++] = slot;
            }
        }
        return slots;
    }

    private static long seen(ModelInput input, int token) {
        int image = input.imageIndex()[token];
        return image < 0 ? 0 : content(input.images().get(image).digest());
    }

    private static long content(String digest) {
        return digest.hashCode() | 1L << 40;
    }

    private static long next(long hash, int id, int position, long seen) {
        return mix(mix(mix(hash + id) + position) + seen);
    }

    private static float[] logits(long hash) {
        float[] logits = new float[VOCABULARY];
        for (int id = 0; id < VOCABULARY; id++) {
            logits[id] = (mix(hash + id) >>> 40) / (float) (1 << 21);
        }
        return logits;
    }

    private static long mix(long value) {
        long z = value + 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    private void requireOwner() {
        require(Thread.currentThread() == owner, "another thread than that of the engine uses the model");
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new AssertionError(message);
        }
    }
}
