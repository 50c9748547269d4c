package io.idefics.model;

import io.idefics.model.GoldenModel.Prompt;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Sequences side by side, each with token slots of its own, that lie apart from one another in blocks of five. */
final class Rows {

    private static final int BLOCK = 5;

    private final IdeficsModel model;
    private final List<int[]> ids = new ArrayList<>();
    private final List<int[]> images = new ArrayList<>();
    private final int[] past;

    Rows(IdeficsModel model, List<Prompt> prompts) {
        this.model = model;
        prompts.forEach(prompt -> ids.add(prompt.inputIds()));
        prompts.forEach(prompt -> images.add(prompt.imageIndex()));
        this.past = new int[prompts.size()];
    }

    int count() {
        return past.length;
    }

    /** The step over everything that has not been run, with logits of the last tokens; 0 means of all. */
    Step rest(int logitsToKeep) {
        List<Step.Row> rows = new ArrayList<>();
        for (int row = 0; row < count(); row++) {
            rows.add(row(row, ids.get(row).length, logitsToKeep));
        }
        return new Step(rows);
    }

    /** Runs everything that has not been run. */
    float[][] run(int logitsToKeep) {
        float[][] logits = model.forward(rest(logitsToKeep));
        for (int row = 0; row < count(); row++) {
            past[row] = ids.get(row).length;
        }
        return logits;
    }

    /** Runs the next tokens of one row; logits of the last one. */
    float[] run(int row, int tokens) {
        int end = Math.min(past[row] + tokens, ids.get(row).length);
        float[] logits = model.forward(new Step(List.of(row(row, end, 1))))[0];
        past[row] = end;
        return logits;
    }

    boolean isRun(int row) {
        return past[row] == ids.get(row).length;
    }

    /** Appends a token that sees what the one before it saw. */
    void append(int row, int id) {
        int length = ids.get(row).length;
        ids.set(row, Arrays.copyOf(ids.get(row), length + 1));
        ids.get(row)[length] = id;
        images.set(row, Arrays.copyOf(images.get(row), length + 1));
        images.get(row)[length] = images.get(row)[length - 1];
    }

    /** Forgets what was run. */
    void rewind() {
        Arrays.fill(past, 0);
    }

    private Step.Row row(int row, int end, int logitsToKeep) {
        List<Integer> runs = new ArrayList<>();
        for (int token = 0; token < end; token += BLOCK) {
            int slot = (token / BLOCK * (count() + 1) + row) * BLOCK;
            runs.add(slot);
            runs.add(slot + Math.min(BLOCK, end - token));
        }
        int tokens = end - past[row];
        return new Step.Row(
                Arrays.copyOfRange(ids.get(row), past[row], end),
                past[row],
                runs.stream().mapToInt(Integer::intValue).toArray(),
                Arrays.copyOfRange(images.get(row), past[row], end),
                logitsToKeep == 0 ? tokens : logitsToKeep);
    }
}
