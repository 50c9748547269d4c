package io.idefics.engine;

import io.idefics.engine.ImageCache.Encoding;
import io.idefics.engine.ImageCache.Projection;
import io.idefics.engine.StepPlan.Kind;
import io.idefics.engine.StepPlan.Row;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.model.Step;
import io.idefics.model.VisionTextModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The work of an engine, step by step: schedule, run, sample. Everything here belongs to the engine thread.
 *
 * <p>A fault is confined to the sequence that caused it: a step that fails is run again in halves until the rows that
 * fail are alone, which is possible because a step that is run again gives the same result; pictures that fail together
 * are tried apart as well. Where memory runs out in a step, the sequence that was admitted last of the lowest priority is
 * given up and fewer run side by side from then on. A device that is lost, and every {@link Error} but the lack of memory, ends the loop.
 */
final class StepLoop {

    private static final Logger log = LoggerFactory.getLogger(StepLoop.class);

    /** Layers of the vision tower that run at once when nobody waits for a token. */
    private static final int IDLE_ENCODING_LAYERS = 8;

    /** After so many steps without a lack of memory one sequence more may run. */
    private static final int STEPS_TO_RECOVER = 256;

    private final String name;
    private final VisionTextModel model;
    private final Scheduler scheduler;
    private final StepPace pace;
    private final LongSupplier clock;
    private final int blockTokens;
    private final int maxSequences;
    private final SamplerScratch scratch = new SamplerScratch();
    private final Map<Sequence, Generation> generations = new IdentityHashMap<>();
    private List<Encoding> tower = List.of();
    private volatile int running;
    private int sequenceLimit;
    private int stepsSinceShortage;
    private long promptTokens;
    private long generatedTokens;
    private long steps;
    private long stepNanos;
    private long nanLogits;
    private long overdueSequences;

    /** @param clock nanoseconds that only grow */
    StepLoop(String name, LoadedModel loaded, EngineSettings settings, LongSupplier clock) {
        this.name = name;
        this.model = loaded.model();
        this.clock = clock;
        this.blockTokens = settings.blockTokens();
        this.maxSequences = settings.maxBatchSequences();
        this.sequenceLimit = maxSequences;
        this.pace = new StepPace(settings);
        CacheSize caches = loaded.caches();
        this.scheduler = new Scheduler(
                new Scheduler.Limits(
                        maxSequences, Integer.MAX_VALUE, settings.watermarkBlocks(), settings.maxEncodingImages()),
                new PrefixCache(new BlockAllocator(caches.blocks(), blockTokens)),
                new ImageCache(caches.imageSlots(), caches.latentSlots()));
        model.allocate(caches.blocks() * blockTokens, caches.imageSlots(), caches.latentSlots());
    }

    /** Takes a sequence in, or fails it if it can never run. */
    void add(Generation generation) {
        if (generation.isDone()) {
            return; // cancelled on its way
        }
        for (int id : generation.request().input().inputIds()) {
            if (id < 0 || id >= model.vocabularySize()) {
                generation.fail(new GenerationException(
                        ErrorType.INTERNAL,
                        "The prompt has a token of id " + id + "; the model knows those below " + model.vocabularySize()
                                + ".",
                        null));
                return;
            }
        }
        try {
            scheduler.add(generation.sequence());
            generations.put(generation.sequence(), generation);
        } catch (GenerationException e) {
            generation.fail(e);
        }
    }

    /** Forgets a sequence and frees what it has. */
    void remove(Generation generation) {
        if (generations.remove(generation.sequence()) != null) {
            scheduler.remove(generation.sequence());
            running = scheduler.running().size();
        }
    }

    boolean isIdle() {
        return scheduler.isIdle();
    }

    /** The number of sequences that have a place on the device; any thread may ask. */
    int running() {
        return running;
    }

    EngineStats stats() {
        PrefixCache prefixes = scheduler.prefixes();
        ImageCache images = scheduler.images();
        return new EngineStats(
                prefixes.totalBlocks() - prefixes.availableBlocks(),
                prefixes.idleBlocks(),
                prefixes.freeBlocks(),
                prefixes.hitTokens(),
                prefixes.missTokens(),
                images.residentHits(),
                images.latentHits() + images.misses(),
                images.latentHits(),
                images.misses(),
                promptTokens,
                generatedTokens,
                steps,
                stepNanos,
                scheduler.preemptions(),
                nanLogits,
                0,
                0,
                overdueSequences);
    }

    /**
     * Runs one step.
     *
     * @return whether there was anything to do
     * @throws DeviceLostException if the device cannot be used any more
     */
    boolean step() {
        for (Sequence overdue : scheduler.expire(clock.getAsLong())) {
            overdueSequences++;
            failForgotten(
                    overdue,
                    new GenerationException(
                            ErrorType.OVERLOADED, "The model is busy: the time to wait for a turn is over.", null));
        }
        StepPlan plan = scheduler.schedule(pace.budget(!tower.isEmpty()));
        for (Sequence sequence : scheduler.running()) {
            Generation generation = generations.get(sequence);
            if (generation != null) {
                generation.admit();
            }
        }
        running = scheduler.running().size();
        if (!plan.encodings().isEmpty()) {
            begin(plan.encodings());
        }
        boolean worked = !plan.isEmpty() || !tower.isEmpty();
        if (project(plan.projections())) {
            run(plan);
        }
        encode(plan);
        running = scheduler.running().size();
        return worked;
    }

    private void begin(List<Encoding> batch) {
        tower = batch;
        try {
            model.beginEncoding(batch.stream().map(Encoding::pixels).toList());
        } catch (RuntimeException | OutOfMemoryError e) {
            encodingFailed(e);
        }
    }

    /** Runs the next layers of the pictures in the tower, as many as those who decode can wait for. */
    private void encode(StepPlan plan) {
        if (tower.isEmpty()) {
            return;
        }
        if (!scheduler.isEncodingWanted()) {
            model.abandonEncoding();
            scheduler.encodingAbandoned();
            tower = List.of();
            return;
        }
        boolean decoding = plan.rows().stream().anyMatch(row -> row.kind() == Kind.DECODE);
        boolean prefilling = plan.rows().stream().anyMatch(row -> row.kind() != Kind.DECODE);
        int layers = decoding
                ? Math.min(pace.encodingLayers(tower.size(), prefilling), model.encodingLayers())
                : IDLE_ENCODING_LAYERS;
        long start = clock.getAsLong();
        try {
            boolean through = model.advanceEncoding(layers);
            if (through) {
                model.endEncoding(tower.stream().mapToInt(Encoding::latentSlot).toArray());
                scheduler.encoded();
                tower = List.of();
            } else {
                pace.encoded(tower.size(), layers, clock.getAsLong() - start);
            }
        } catch (RuntimeException | OutOfMemoryError e) {
            encodingFailed(e);
        }
    }

    private void encodingFailed(Throwable e) {
        refuseIfLost(e);
        log.error("{} pictures failed on {}", tower.size(), name, e);
        model.abandonEncoding();
        boolean several = tower.size() > 1;
        tower = List.of();
        if (several) {
            scheduler.encodeApart();
        } else {
            scheduler.encodingFailed().forEach(sequence -> failForgotten(sequence, error(e)));
        }
    }

    /** Whether all of the projections have run; otherwise their plan is to be dropped. */
    private boolean project(List<Projection> projections) {
        if (projections.isEmpty()) {
            return true;
        }
        try {
            model.projectImages(
                    projections.stream().mapToInt(Projection::latentSlot).toArray(),
                    projections.stream().mapToInt(Projection::imageSlot).toArray());
            return true;
        } catch (RuntimeException | OutOfMemoryError e) {
            refuseIfLost(e);
            log.error("{} pictures failed on {}", projections.size(), name, e);
            if (projections.size() == 1) {
                scheduler.projectionFailed(projections).forEach(sequence -> failForgotten(sequence, error(e)));
                return false;
            }
        }
        boolean sound = true;
        for (Projection projection : projections) {
            sound &= project(List.of(projection));
        }
        return sound;
    }

    private void run(StepPlan plan) {
        if (plan.rows().isEmpty()) {
            scheduler.complete(plan);
            return;
        }
        long start = clock.getAsLong();
        float[][][] logits = new float[plan.rows().size()][][];
        try {
            forward(plan.rows(), 0, logits);
        } catch (RuntimeException | OutOfMemoryError e) {
            refuseIfLost(e);
            if (isShortage(e)) {
                shed(plan, e); // the next plan repeats what this one did
                return;
            }
            log.error("A step failed on {}: its sequences are tried apart", name, e);
            if (plan.rows().size() == 1) {
                fail(plan.rows().get(0).sequence(), broken(e));
            } else {
                halves(plan.rows(), 0, logits);
            }
        }
        long nanos = clock.getAsLong() - start;
        count(plan, nanos);
        scheduler.complete(plan);
        for (int i = 0; i < logits.length; i++) {
            float[][] kept = logits[i];
            if (kept != null) {
                read(plan.rows().get(i), kept);
            }
        }
    }

    /** Runs rows; the logits of row {@code i} go to place {@code offset + i}. */
    private void forward(List<Row> rows, int offset, @Nullable float[][][] logits) {
        List<Step.Row> stepRows = new ArrayList<>(rows.size());
        for (Row row : rows) {
            Sequence sequence = row.sequence();
            stepRows.add(new Step.Row(
                    sequence.ids(row.first(), row.count()),
                    row.first(),
                    sequence.cacheRuns(row.first() + row.count(), blockTokens),
                    sequence.imageSlots(row.first(), row.count()),
                    row.logitsToKeep()));
        }
        float[][] kept = model.forward(new Step(stepRows));
        int next = 0;
        for (int i = 0; i < rows.size(); i++) {
            int count = rows.get(i).logitsToKeep();
            if (count > 0) {
                logits[offset + i] = Arrays.copyOfRange(kept, next, next + count);
                next += count;
            }
        }
    }

    /** Runs both halves of some rows that failed together; a row that fails alone fails its sequence. */
    private void halves(List<Row> rows, int offset, @Nullable float[][][] logits) {
        int middle = rows.size() / 2;
        apart(rows.subList(0, middle), offset, logits);
        apart(rows.subList(middle, rows.size()), offset + middle, logits);
    }

    private void apart(List<Row> rows, int offset, @Nullable float[][][] logits) {
        try {
            forward(rows, offset, logits);
        } catch (RuntimeException | OutOfMemoryError e) {
            refuseIfLost(e);
            if (rows.size() > 1) {
                halves(rows, offset, logits);
            } else {
                fail(rows.get(0).sequence(), error(e));
            }
        }
    }

    /** @param logits of the last tokens of the row */
    private void read(Row row, float[][] logits) {
        Sequence sequence = row.sequence();
        Generation generation = generations.get(sequence);
        if (generation == null) {
            return;
        }
        if (generation.isDone()) {
            remove(generation);
            return;
        }
        try {
            int promptLogits = row.promptLogits();
            if (promptLogits > 0) {
                int end = row.first() + row.count();
                generation.readPrompt(end - promptLogits, Arrays.copyOf(logits, promptLogits), scratch);
                sequence.logitsFrom(end);
            }
            if (!row.logits()) {
                return;
            }
            int id = generation.next(logits[logits.length - 1], scratch);
            generatedTokens += sequence.maxTokens() > 0 ? 1 : 0;
            if (id >= 0) {
                scheduler.append(sequence, id);
            } else {
                generations.remove(sequence);
                scheduler.finish(sequence);
            }
        } catch (LogitsException e) {
            nanLogits++;
            log.error("A sequence failed on {}: {}", name, e.getMessage());
            scheduler.discard(sequence);
            failForgotten(sequence, broken(e));
        } catch (RuntimeException | OutOfMemoryError e) {
            log.error("A sequence failed on {}", name, e);
            fail(sequence, error(e));
        }
    }

    private void count(StepPlan plan, long nanos) {
        int decoding = 0;
        int prefill = 0;
        for (Row row : plan.rows()) {
            if (row.kind() == Kind.DECODE) {
                decoding++;
            } else {
                prefill += row.count();
            }
        }
        pace.ran(decoding, prefill, nanos);
        promptTokens += prefill;
        steps++;
        stepNanos += nanos;
        if (sequenceLimit < maxSequences && ++stepsSinceShortage >= STEPS_TO_RECOVER) {
            stepsSinceShortage = 0;
            sequenceLimit++;
            scheduler.limitSequences(sequenceLimit);
        }
    }

    /** Gives up the sequence that has to give way first and lets fewer run side by side. */
    private void shed(StepPlan plan, Throwable e) {
        Sequence least = plan.rows().get(0).sequence();
        for (Sequence sequence : scheduler.byClaim()) {
            if (plan.rows().stream().anyMatch(row -> row.sequence() == sequence)) {
                least = sequence;
            }
        }
        sequenceLimit = Math.max(1, plan.rows().size() - 1);
        stepsSinceShortage = 0;
        scheduler.limitSequences(sequenceLimit);
        log.error(
                "Memory ran out on {} with {} sequences: the newest of the lowest priority is given up, and {} may run from now on",
                name,
                plan.rows().size(),
                sequenceLimit,
                e);
        fail(least, overloaded(e));
    }

    private void fail(Sequence sequence, GenerationException error) {
        scheduler.remove(sequence);
        failForgotten(sequence, error);
    }

    /** Fails a sequence that the scheduler has let go already. */
    private void failForgotten(Sequence sequence, GenerationException error) {
        Generation generation = generations.remove(sequence);
        if (generation != null) {
            generation.fail(error);
        }
    }

    private static GenerationException error(Throwable cause) {
        return isShortage(cause) ? overloaded(cause) : broken(cause);
    }

    private static GenerationException broken(Throwable cause) {
        return new GenerationException(ErrorType.INTERNAL, "The model failed to compute an answer.", null, cause);
    }

    private static GenerationException overloaded(Throwable cause) {
        return new GenerationException(
                ErrorType.OVERLOADED, "The model has no memory left for this request. Try again later.", null, cause);
    }

    /** Whether memory ran out: libtorch's allocators on the CPU and on CUDA devices, or Java's heap. */
    private static boolean isShortage(Throwable e) {
        String message = String.valueOf(e.getMessage());
        return e instanceof OutOfMemoryError
                || message.contains("out of memory")
                || message.contains("_ALLOC_FAILED")
                || message.contains("can't allocate memory")
                || message.contains("not enough memory");
    }

    /** A CUDA error other than the lack of memory stays until the process ends. */
    private static void refuseIfLost(Throwable e) {
        String message = String.valueOf(e.getMessage());
        if (e instanceof DeviceLostException lost) {
            throw lost;
        }
        if (message.contains("CUDA error") && !isShortage(e)) {
            String line = message.lines()
                    .filter(text -> text.contains("CUDA error"))
                    .findFirst()
                    .orElse(message);
            throw new DeviceLostException("The device is lost: " + line.strip(), e);
        }
    }
}
