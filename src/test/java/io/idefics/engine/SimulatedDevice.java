package io.idefics.engine;

import io.idefics.engine.StepPlan.Row;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The memory of a device, as what stands in each slot instead of numbers: running a plan writes it, and whatever a row
 * reads must be what its sequence expects.
 */
final class SimulatedDevice {

    /** What keys and values of a token depend on: the token, what it sees, where it is, and all before it. */
    record Cell(int id, @Nullable String digest, int position, long history) {

        static Cell after(@Nullable Cell before, int id, @Nullable String digest, int position) {
            long history = before == null
                    ? 17
                    : mix(before.history * 31 + before.id * 7L + Objects.hashCode(before.digest) + before.position);
            return new Cell(id, digest, position, history);
        }

        private static long mix(long value) {
            long z = value + 0x9E3779B97F4A7C15L;
            z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
            z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
            return z ^ (z >>> 31);
        }
    }

    private static final Cell GARBAGE = new Cell(-1, "garbage", -1, -1);

    private final int blockTokens;
    private final @Nullable Cell[] tokens;
    private final @Nullable String[] images;
    private final @Nullable String[] latents;

    SimulatedDevice(int blocks, int blockTokens, int imageSlots, int latentSlots) {
        this.blockTokens = blockTokens;
        this.tokens = new Cell[blocks * blockTokens];
        this.images = new String[imageSlots];
        this.latents = new String[latentSlots];
    }

    void encode(List<ImageCache.Encoding> batch) {
        batch.forEach(encoding -> latents[encoding.latentSlot()] = encoding.digest());
    }

    /** A batch that failed half way leaves anything in its slots. */
    void spoilLatents(List<ImageCache.Encoding> batch) {
        batch.forEach(encoding -> latents[encoding.latentSlot()] = "garbage");
    }

    void project(List<ImageCache.Projection> projections) {
        for (ImageCache.Projection projection : projections) {
            require(
                    projection.digest().equals(latents[projection.latentSlot()]),
                    "latent slot " + projection.latentSlot() + " has " + latents[projection.latentSlot()]
                            + " instead of " + projection.digest());
            images[projection.imageSlot()] = projection.digest();
        }
    }

    void spoilImages(List<ImageCache.Projection> projections) {
        projections.forEach(projection -> images[projection.imageSlot()] = "garbage");
    }

    /** A step that failed half way leaves anything in the slots of its new tokens. */
    void spoilTokens(List<Row> rows) {
        for (Row row : rows) {
            int[] slots = slots(row);
            for (int token = row.first(); token < row.first() + row.count(); token++) {
                tokens[slots[token]] = GARBAGE;
            }
        }
    }

    /** Writes the new tokens of all rows, then reads all that the rows read. */
    void run(List<Row> rows) {
        for (Row row : rows) {
            int[] slots = slots(row);
            check(row, slots, row.first());
            Cell before = row.first() == 0 ? null : tokens[slots[row.first() - 1]];
            for (int token = row.first(); token < row.first() + row.count(); token++) {
                Sequence sequence = row.sequence();
                before = Cell.after(before, sequence.id(token), sequence.digest(token), token);
                tokens[slots[token]] = before;
            }
            checkImages(row);
        }
        for (Row row : rows) {
            check(row, slots(row), row.first() + row.count());
        }
    }

    private void check(Row row, int[] slots, int upTo) {
        Cell expected = null;
        for (int token = 0; token < upTo; token++) {
            Sequence sequence = row.sequence();
            expected = Cell.after(expected, sequence.id(token), sequence.digest(token), token);
            Cell found = tokens[slots[token]];
            if (!expected.equals(found)) {
                throw new AssertionError("slot " + slots[token] + " has " + found + " instead of " + expected);
            }
        }
    }

    private void checkImages(Row row) {
        int[] slots = row.sequence().imageSlots(row.first(), row.count());
        for (int i = 0; i < slots.length; i++) {
            String seen = slots[i] < 0 ? null : images[slots[i]];
            String expected = row.sequence().digest(row.first() + i);
            require(Objects.equals(seen, expected), "a token sees " + seen + " instead of " + expected);
        }
    }

    /** The slot of each token of a row's sequence, new ones included. */
    private int[] slots(Row row) {
        int[] slots = new int[row.first() + row.count()];
        int[] runs = row.sequence().cacheRuns(slots.length, blockTokens);
        int token = 0;
        for (int run = 0; run < runs.length; run += 2) {
            for (int slot = runs[run]; slot < runs[run + 1]; slot++) {
                slots[token++] = slot;
            }
            require(run == 0 || runs[run - 1] != runs[run], "two runs that are one");
        }
        require(token == slots.length, token + " slots for " + slots.length + " tokens");
        return slots;
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new AssertionError(message);
        }
    }
}
