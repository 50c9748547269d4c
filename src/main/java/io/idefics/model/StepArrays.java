package io.idefics.model;

import io.idefics.model.Step.Row;
import java.util.stream.LongStream;

/** A {@link Step} as the model program takes it: its tokens one after the other, and lists of whole numbers beside them. */
final class StepArrays {

    final long[] inputIds;
    final long[] positionIds;
    final long[] tokenSlots;
    final long[] logitTokens;
    private final LongStream.Builder rows = LongStream.builder();
    private final LongStream.Builder runs = LongStream.builder();
    private final LongStream.Builder spans = LongStream.builder();
    private int runCount;

    StepArrays(Step step) {
        int tokens = step.tokens();
        inputIds = new long[tokens];
        positionIds = new long[tokens];
        tokenSlots = new long[tokens];
        logitTokens = new long[step.rows().stream().mapToInt(Row::logitsToKeep).sum()];
        int start = 0;
        int logits = 0;
        for (Row row : step.rows()) {
            int end = start + row.inputIds().length;
            for (int t = start; t < end; t++) {
                inputIds[t] = row.inputIds()[t - start];
                positionIds[t] = row.past() + t - start;
            }
            for (int t = end - row.logitsToKeep(); t < end; t++) {
                logitTokens[logits++] = t;
            }
            addSlots(row, start);
            addRuns(row, start);
            addSpans(row, start);
            start = end;
        }
    }

    /** First token, end, first run and end of the runs of each row. */
    long[] rows() {
        return rows.build().toArray();
    }

    /** First slot and end of each run. */
    long[] runs() {
        return runs.build().toArray();
    }

    /** First token, end and image slot of each stretch of tokens that see one image. */
    long[] spans() {
        return spans.build().toArray();
    }

    private void addSlots(Row row, int start) {
        int token = 0;
        for (int i = 0; i < row.cacheRuns().length; i += 2) {
            for (int slot = row.cacheRuns()[i]; slot < row.cacheRuns()[i + 1]; slot++, token++) {
                if (token >= row.past()) {
                    tokenSlots[start + token - row.past()] = slot;
                }
            }
        }
    }

    /** The runs that every token of the row attends to: all of them for a single token, else those of the past. */
    private void addRuns(Row row, int start) {
        int seen = row.inputIds().length == 1 ? row.past() + 1 : row.past();
        int firstRun = runCount;
        for (int i = 0; seen > 0; i += 2) {
            int length = Math.min(seen, row.cacheRuns()[i + 1] - row.cacheRuns()[i]);
            runs.add(row.cacheRuns()[i]).add(row.cacheRuns()[i] + length);
            runCount++;
            seen -= length;
        }
        rows.add(start).add(start + row.inputIds().length).add(firstRun).add(runCount);
    }

    private void addSpans(Row row, int start) {
        int[] slots = row.imageSlots();
        for (int first = 0, end; first < slots.length; first = end) {
            end = first + 1;
            while (end < slots.length && slots[end] == slots[first]) {
                end++;
            }
            if (slots[first] >= 0) {
                spans.add(start + first).add(start + end).add(slots[first]);
            }
        }
    }
}
