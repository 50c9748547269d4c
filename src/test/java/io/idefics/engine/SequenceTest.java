package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.engine.Sequence.BlockKey;
import io.idefics.engine.Sequence.Phase;
import io.idefics.model.ModelInput;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SequenceTest {

    @Test
    void cacheRuns_neighbouringBlocks_areOneRun() {
        Sequence sequence = TestSequence.prompt(1, 20).build();
        sequence.blocks(new int[] {7, 8, 2, 3, 9});

        assertThat(sequence.cacheRuns(20, 4)).containsExactly(28, 36, 8, 16, 36, 40);
    }

    @Test
    void cacheRuns_partOfABlock_endsInIt() {
        Sequence sequence = TestSequence.prompt(1, 20).build();
        sequence.blocks(new int[] {7, 8, 2, 3, 9});

        assertThat(sequence.cacheRuns(10, 4)).containsExactly(28, 36, 8, 10);
        assertThat(sequence.cacheRuns(4, 4)).containsExactly(28, 32);
        assertThat(sequence.cacheRuns(0, 4)).isEmpty();
    }

    @Test
    void digest_generatedToken_seesWhatTheLastOfThePromptSaw() {
        Sequence sequence =
                TestSequence.prompt(1, 4).pictures(List.of("cat", "dog"), 1, 3).build();
        generate(sequence, 5, 6);

        assertThat(sequence.length()).isEqualTo(6);
        assertThat(sequence.digest(0)).isNull();
        assertThat(sequence.digest(1)).isEqualTo("cat");
        assertThat(sequence.digest(3)).isEqualTo("dog");
        assertThat(sequence.digest(5)).isEqualTo("dog");
        assertThat(sequence.ids(3, 3)).containsExactly(4, 5, 6);
    }

    @Test
    void imageSlots_samePictureTwice_isOneSlot() {
        Sequence sequence = TestSequence.prompt(1, 4)
                .pictures(List.of("cat", "dog", "cat"), 1, 2, 3)
                .build();
        sequence.imageSlots(Map.of("cat", 5, "dog", 2));

        assertThat(sequence.imageSlots(0, 4)).containsExactly(-1, 5, 2, 5);
    }

    @Test
    void picturesFrom_laterToken_leavesOutEarlierPictures() {
        Sequence sequence =
                TestSequence.prompt(1, 4).pictures(List.of("cat", "dog"), 1, 3).build();

        assertThat(sequence.picturesFrom(0)).containsOnlyKeys("cat", "dog");
        assertThat(sequence.picturesFrom(3)).containsOnlyKeys("dog");
        assertThat(sequence.picturesFrom(9)).containsOnlyKeys("dog");
    }

    @Test
    void picturesFrom_pictureThatNoTokenSees_isLeftOut() {
        Sequence sequence =
                TestSequence.prompt(1, 4).pictures(List.of("cat", "dog"), 1).build();

        assertThat(sequence.picturesFrom(0)).containsOnlyKeys("cat");
    }

    @Test
    void append_tokenNotDue_throws() {
        Sequence sequence = TestSequence.prompt(1, 4).build();

        assertThatThrownBy(() -> sequence.append(1)).hasMessageContaining("none due, in phase WAITING");
    }

    @Test
    void append_moreThanMaxTokens_throws() {
        Sequence sequence = TestSequence.prompt(1, 4).maxTokens(2).build();
        generate(sequence, 5, 6);
        sequence.advance(1);

        assertThatThrownBy(() -> sequence.append(7))
                .hasMessage("More than 2 tokens, which is the limit of the sequence");
    }

    @Test
    void key_sameHash_isNotEqual() {
        BlockKey key = new BlockKey(new int[] {1, 0}, new String[] {"Aa", null});

        assertThat(key).isEqualTo(new BlockKey(new int[] {1, 0}, new String[] {"Aa", null}));
        assertThat(key).hasSameHashCodeAs(new BlockKey(new int[] {0, 31}, new String[] {"Aa", null}));
        assertThat(key).isNotEqualTo(new BlockKey(new int[] {0, 31}, new String[] {"Aa", null}));
        assertThat(key).hasSameHashCodeAs(new BlockKey(new int[] {1, 0}, new String[] {"BB", null}));
        assertThat(key).isNotEqualTo(new BlockKey(new int[] {1, 0}, new String[] {"BB", null}));
    }

    @Test
    void isOverdue_deadlinePassed_onlyBeforeItHasBegun() {
        Sequence sequence = TestSequence.prompt(1, 4).deadline(100).build();

        assertThat(sequence.isOverdue(99)).isFalse();
        assertThat(sequence.isOverdue(100)).isTrue();

        sequence.phase(Phase.PREFILL);
        sequence.phase(Phase.WAITING);
        assertThat(sequence.isOverdue(100)).isFalse();
    }

    @Test
    void isOverdue_clockWrapsAround_countsOn() {
        Sequence sequence =
                TestSequence.prompt(1, 4).deadline(Long.MIN_VALUE + 10).build();

        assertThat(sequence.isOverdue(Long.MAX_VALUE - 10)).isFalse();
        assertThat(sequence.isOverdue(Long.MIN_VALUE + 10)).isTrue();
    }

    @Test
    void isOverdue_noDeadline_never() {
        assertThat(TestSequence.prompt(1, 4).build().isOverdue(Long.MAX_VALUE)).isFalse();
    }

    @Test
    void constructor_inputsThatDoNotMatch_throws() {
        ModelInput empty = new ModelInput(new int[0], new int[0], List.of());
        ModelInput input = new ModelInput(new int[] {1}, new int[] {-1}, List.of());

        assertThatThrownBy(() -> new Sequence(empty, List.of(), 1, "a", 0, 0))
                .hasMessage("A prompt of 0 tokens with 0 image indices");
        assertThatThrownBy(() -> new Sequence(input, List.of("cat"), 1, "a", 0, 0))
                .hasMessage("0 pictures with 1 digests");
        assertThatThrownBy(() -> new Sequence(input, List.of(), -1, "a", 0, 0))
                .hasMessage("A sequence cannot generate -1 tokens");
    }

    private static void generate(Sequence sequence, int... ids) {
        sequence.phase(Phase.DECODE);
        sequence.advance(sequence.promptLength());
        for (int i = 0; i < ids.length; i++) {
            sequence.append(ids[i]);
            sequence.advance(i < ids.length - 1 ? 1 : 0);
        }
    }
}
