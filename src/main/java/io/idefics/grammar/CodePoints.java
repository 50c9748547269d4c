package io.idefics.grammar;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** A set of Unicode code points without surrogates. Immutable. */
final class CodePoints {

    static final CodePoints NONE = new CodePoints(new int[0]);

    /** All code points that UTF-8 can express. */
    static final CodePoints ALL = range(0, Character.MAX_CODE_POINT);

    /** First and last of each range, ascending; ranges do not touch. */
    private final int[] bounds;

    private CodePoints(int[] bounds) {
        this.bounds = bounds;
    }

    static CodePoints of(int... codePoints) {
        CodePoints set = NONE;
        for (int codePoint : codePoints) {
            set = set.or(range(codePoint, codePoint));
        }
        return set;
    }

    static CodePoints of(String characters) {
        return of(characters.codePoints().toArray());
    }

    /** All from one to another, both included; surrogates are left out. */
    static CodePoints range(int low, int high) {
        if (low > high) {
            return NONE;
        }
        if (high < Character.MIN_SURROGATE || low > Character.MAX_SURROGATE) {
            return new CodePoints(new int[] {low, high});
        }
        return range(low, Character.MIN_SURROGATE - 1).or(range(Character.MAX_SURROGATE + 1, high));
    }

    /** All for which the predicate holds. */
    static CodePoints where(IntPredicate predicate) {
        List<int[]> ranges = new ArrayList<>();
        int low = -1;
        for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT + 1; codePoint++) {
            boolean holds = codePoint <= Character.MAX_CODE_POINT && predicate.test(codePoint);
            if (holds && low < 0) {
                low = codePoint;
            } else if (!holds && low >= 0) {
                ranges.add(new int[] {low, codePoint - 1});
                low = -1;
            }
        }
        return ofSorted(ranges).and(ALL);
    }

    private static CodePoints ofSorted(List<int[]> ranges) {
        int[] bounds = new int[ranges.size() * 2];
        int count = 0;
        for (int[] range : ranges) {
            if (count > 0 && range[0] <= bounds[count - 1] + 1) {
                bounds[count - 1] = Math.max(bounds[count - 1], range[1]);
            } else {
                bounds[count++] = range[0];
                bounds[count++] = range[1];
            }
        }
        return new CodePoints(Arrays.copyOf(bounds, count));
    }

    CodePoints or(CodePoints other) {
        List<int[]> ranges = ranges();
        ranges.addAll(other.ranges());
        ranges.sort((a, b) -> Integer.compare(a[0], b[0]));
        return ofSorted(ranges);
    }

    CodePoints and(CodePoints other) {
        List<int[]> shared = new ArrayList<>();
        int i = 0;
        int j = 0;
        while (i < bounds.length && j < other.bounds.length) {
            int low = Math.max(bounds[i], other.bounds[j]);
            int high = Math.min(bounds[i + 1], other.bounds[j + 1]);
            if (low <= high) {
                shared.add(new int[] {low, high});
            }
            if (bounds[i + 1] < other.bounds[j + 1]) {
                i += 2;
            } else {
                j += 2;
            }
        }
        return ofSorted(shared);
    }

    /** Those from one number to another, both included. */
    CodePoints within(int low, int high) {
        return and(new CodePoints(new int[] {low, high}));
    }

    /** All numbers less {@code by}. */
    CodePoints minus(int by) {
        return new CodePoints(Arrays.stream(bounds).map(bound -> bound - by).toArray());
    }

    CodePoints not() {
        List<int[]> gaps = new ArrayList<>();
        int low = 0;
        for (int i = 0; i < bounds.length; i += 2) {
            gaps.add(new int[] {low, bounds[i] - 1});
            low = bounds[i + 1] + 1;
        }
        gaps.add(new int[] {low, Character.MAX_CODE_POINT});
        gaps.removeIf(gap -> gap[0] > gap[1]);
        return ofSorted(gaps).and(ALL);
    }

    CodePoints minus(CodePoints other) {
        return and(other.not());
    }

    boolean contains(int codePoint) {
        for (int i = 0; i < bounds.length; i += 2) {
            if (codePoint >= bounds[i] && codePoint <= bounds[i + 1]) {
                return true;
            }
        }
        return false;
    }

    boolean isEmpty() {
        return bounds.length == 0;
    }

    /** First and last of each range, ascending. */
    List<int[]> ranges() {
        List<int[]> ranges = new ArrayList<>(bounds.length / 2);
        for (int i = 0; i < bounds.length; i += 2) {
            ranges.add(new int[] {bounds[i], bounds[i + 1]});
        }
        return ranges;
    }

    @Override
    public boolean equals(@Nullable Object object) {
        return object instanceof CodePoints other && Arrays.equals(bounds, other.bounds);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bounds);
    }

    @Override
    public String toString() {
        return Arrays.toString(bounds);
    }
}
