package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PrefixAffinityTest {

    private static final PixelValues CAT = new PixelValues(new float[] {1, 2, 3}, 1);
    private static final PixelValues DOG = new PixelValues(new float[] {1, 2, 4}, 1);

    @Test
    void keys_areOneForEachFullBlock() {
        assertThat(PrefixAffinity.keys(text(15))).isEmpty();
        assertThat(PrefixAffinity.keys(text(16))).hasSize(1);
        assertThat(PrefixAffinity.keys(text(47))).hasSize(2);
    }

    @Test
    void keys_samePrefix_areTheSameUpToItsEnd() {
        int[] ids = IntStream.range(0, 48).toArray();
        int[] other = ids.clone();
        other[20] = 99;

        long[] keys = PrefixAffinity.keys(text(ids));
        long[] otherKeys = PrefixAffinity.keys(text(other));

        assertThat(otherKeys[0]).isEqualTo(keys[0]);
        assertThat(otherKeys[1]).isNotEqualTo(keys[1]);
        assertThat(otherKeys[2]).as("the same tokens after other ones").isNotEqualTo(keys[2]);
    }

    @Test
    void keys_otherPicture_areOtherFromWhereItIsSeen() {
        int[] seen = new int[32];
        Arrays.fill(seen, 0, 16, -1);

        long[] cat = PrefixAffinity.keys(new ModelInput(new int[32], seen, List.of(CAT)));
        long[] dog = PrefixAffinity.keys(new ModelInput(new int[32], seen, List.of(DOG)));
        long[] sameCat = PrefixAffinity.keys(new ModelInput(
                new int[32], seen, List.of(new PixelValues(CAT.values().clone(), 1))));

        assertThat(dog[0]).isEqualTo(cat[0]);
        assertThat(dog[1]).isNotEqualTo(cat[1]);
        assertThat(sameCat).as("decoded anew").isEqualTo(cat);
    }

    @Test
    void keys_picturesInOtherOrder_differ() {
        int[] seen = new int[16];
        Arrays.fill(seen, 8, 16, 1);

        assertThat(PrefixAffinity.keys(new ModelInput(new int[16], seen, List.of(CAT, DOG))))
                .isNotEqualTo(PrefixAffinity.keys(new ModelInput(new int[16], seen, List.of(DOG, CAT))));
    }

    @Test
    void longestMatch_severalPrefixes_isTheLongestOfAnEligibleReplica() {
        PrefixAffinity affinity = new PrefixAffinity(100);
        record(affinity, text(32), 0);
        record(affinity, text(48), 1);
        long[] keys = PrefixAffinity.keys(text(64));

        assertThat(affinity.longestMatch(keys, replica -> true)).isEqualTo(1);
        affinity.record(text(16), PrefixAffinity.keys(text(16)), 0);
        assertThat(affinity.longestMatch(keys, replica -> replica == 0)).isEqualTo(0);
        assertThat(affinity.longestMatch(keys, replica -> false)).isNull();
    }

    @Test
    void longestMatch_tooManyBlocks_forgetsThoseThatWereUsedLongestAgo() {
        PrefixAffinity affinity = new PrefixAffinity(2);
        ModelInput first = new ModelInput(filled(16, 1), filled(16, -1), List.of());
        ModelInput second = new ModelInput(filled(16, 2), filled(16, -1), List.of());
        ModelInput third = new ModelInput(filled(16, 3), filled(16, -1), List.of());
        record(affinity, first, 0);
        record(affinity, second, 1);
        assertThat(match(affinity, first)).isEqualTo(0);

        record(affinity, third, 2);

        assertThat(affinity.size()).isEqualTo(2);
        assertThat(match(affinity, first)).isEqualTo(0);
        assertThat(match(affinity, second)).isNull();
        assertThat(match(affinity, third)).isEqualTo(2);
    }

    @Test
    void forget_replica_leavesTheOthers() {
        PrefixAffinity affinity = new PrefixAffinity(100);
        ModelInput input = text(32);
        ModelInput other = new ModelInput(filled(32, 7), filled(32, -1), List.of());
        record(affinity, input, 0);
        record(affinity, other, 1);

        affinity.forget(0);

        assertThat(match(affinity, input)).isNull();
        assertThat(affinity.replicaOf(input)).isNull();
        assertThat(match(affinity, other)).isEqualTo(1);
        assertThat(affinity.replicaOf(other)).isEqualTo(1);
    }

    private static Integer match(PrefixAffinity affinity, ModelInput input) {
        return affinity.longestMatch(PrefixAffinity.keys(input), replica -> true);
    }

    private static void record(PrefixAffinity affinity, ModelInput input, int replica) {
        affinity.record(input, PrefixAffinity.keys(input), replica);
    }

    private static ModelInput text(int tokens) {
        return text(IntStream.range(0, tokens).toArray());
    }

    private static ModelInput text(int[] ids) {
        return new ModelInput(ids, filled(ids.length, -1), List.of());
    }

    private static int[] filled(int length, int value) {
        int[] values = new int[length];
        Arrays.fill(values, value);
        return values;
    }
}
