package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PrefixCacheTest {

    private final BlockAllocator allocator = new BlockAllocator(8, 4);
    private final PrefixCache cache = new PrefixCache(allocator);

    @Test
    void match_sameTokens_findsFullBlocks() {
        int[] blocks = runAndClose(TestSequence.prompt(1, 10).build());

        assertThat(matched(TestSequence.prompt(1, 10))).containsExactly(blocks[0], blocks[1]);
        assertThat(matched(TestSequence.prompt(1, 7))).containsExactly(blocks[0]);
        assertThat(matched(TestSequence.prompt(2, 10))).isEmpty();
    }

    @Test
    void match_wholePromptCached_leavesATokenToRun() {
        runAndClose(TestSequence.prompt(1, 8).build());

        assertThat(matched(TestSequence.prompt(1, 8))).hasSize(1);
        assertThat(matched(TestSequence.prompt(1, 9))).hasSize(2);
    }

    @Test
    void match_otherPicture_findsOnlyWhatIsBefore() {
        runAndClose(TestSequence.prompt(1, 9).pictures(List.of("cat"), 6).build());

        assertThat(matched(TestSequence.prompt(1, 9).pictures(List.of("cat"), 6)))
                .hasSize(2);
        assertThat(matched(TestSequence.prompt(1, 9).pictures(List.of("dog"), 6)))
                .hasSize(1);
        assertThat(matched(TestSequence.prompt(1, 9).pictures(List.of("cat"), 5)))
                .hasSize(1);
        assertThat(matched(TestSequence.prompt(1, 9))).hasSize(1);
    }

    @Test
    void match_sameBlockAfterOtherTokens_isAnother() {
        runAndClose(TestSequence.prompt(1, 2, 3, 4, 5, 6, 7, 8, 9).build());

        assertThat(matched(TestSequence.prompt(0, 2, 3, 4, 5, 6, 7, 8, 9))).isEmpty();
        assertThat(matched(TestSequence.prompt(5, 6, 7, 8, 9))).isEmpty();
    }

    @Test
    void match_sameHash_isAnother() {
        runAndClose(TestSequence.prompt(1, 0, 5, 5, 9).build());

        assertThat(matched(TestSequence.prompt(1, 0, 5, 5, 9))).hasSize(1);
        assertThat(matched(TestSequence.prompt(0, 31, 5, 5, 9))).isEmpty();
    }

    @Test
    void match_generatedTokens_areFoundByTheNextTurn() {
        Sequence sequence = TestSequence.prompt(1, 6).build();
        open(sequence);
        run(sequence);
        sequence.phase(Sequence.Phase.DECODE);
        for (int id = 7; id <= 9; id++) {
            sequence.append(id);
            assertThat(cache.grow(sequence)).isTrue();
            run(sequence);
        }
        cache.close(sequence);

        assertThat(matched(TestSequence.prompt(1, 12))).hasSize(2);
    }

    @Test
    void open_matchedPath_sharesItsBlocks() {
        Sequence first = open(TestSequence.prompt(1, 9).build());
        run(first);
        Sequence second = open(TestSequence.prompt(1, 9).build());

        assertThat(second.blocks()).startsWith(first.blocks()[0], first.blocks()[1]);
        assertThat(second.blocks()[2]).isNotEqualTo(first.blocks()[2]);
        assertThat(second.cached()).isEqualTo(8);
        assertThat(second.reused()).isEqualTo(8);
        assertThat(allocator.holders(first.blocks()[0])).isEqualTo(3);
        assertThat(cache.hitTokens()).isEqualTo(8);
    }

    @Test
    void open_noFreeBlocks_evictsWhatWasLetGoLongestAgo() {
        runAndClose(TestSequence.prompt(100, 13).build()); // 3 cached
        runAndClose(TestSequence.prompt(200, 13).build()); // 3 more
        cache.close(open(TestSequence.prompt(100, 13).build())); // used again

        open(TestSequence.prompt(300, 16).build()); // 4 of 2 free blocks

        assertThat(matched(TestSequence.prompt(100, 13))).hasSize(3);
        assertThat(matched(TestSequence.prompt(200, 13))).hasSize(1); // the leaves went first
        assertThat(cache.evictions()).isEqualTo(2);
    }

    @Test
    void open_pathInUse_isNeverEvicted() {
        Sequence running = open(TestSequence.prompt(100, 13).build());
        run(running);
        runAndClose(TestSequence.prompt(200, 13).build());
        assertThat(cache.availableBlocks()).isEqualTo(4);

        open(TestSequence.prompt(300, 16).build());

        assertThat(matched(TestSequence.prompt(100, 13))).hasSize(3);
        assertThat(matched(TestSequence.prompt(200, 13))).isEmpty();
        assertThat(cache.availableBlocks()).isZero();
    }

    @Test
    void fits_idlePathOfItsOwn_isNotCountedTwice() {
        runAndClose(TestSequence.prompt(1, 13).build());
        open(TestSequence.prompt(200, 12).build());
        Sequence next = TestSequence.prompt(1, 21).build(); // 6 blocks, 3 of them cached and idle, 2 free

        assertThat(cache.availableBlocks()).isEqualTo(5);
        assertThat(cache.fits(next, cache.match(next), 0)).isFalse();
        Sequence shorter = TestSequence.prompt(1, 20).build();
        assertThat(cache.fits(shorter, cache.match(shorter), 0)).isTrue();
        assertThat(cache.fits(shorter, cache.match(shorter), 1)).isFalse();
    }

    @Test
    void store_sameBlockComputedTwice_keepsTheFirst() {
        Sequence first = open(TestSequence.prompt(1, 7).build());
        Sequence second = open(TestSequence.prompt(1, 7).build());
        int own = second.blocks()[0];

        run(first);
        run(second);

        assertThat(second.blocks()[0]).isEqualTo(first.blocks()[0]).isNotEqualTo(own);
        assertThat(second.blocks()[1]).isNotEqualTo(first.blocks()[1]);
        assertThat(allocator.holders(own)).isZero();
        assertThat(allocator.holders(first.blocks()[0])).isEqualTo(3);
        assertThat(cache.duplicates()).isEqualTo(1);
        assertThat(cache.cachedBlocks()).isEqualTo(1);
    }

    @Test
    void catchUp_blockComputedMeanwhile_isSkipped() {
        Sequence first = open(TestSequence.prompt(1, 9).build());
        Sequence second = open(TestSequence.prompt(1, 9).build());
        run(first);

        cache.catchUp(second);

        assertThat(second.cached()).isEqualTo(8);
        assertThat(second.blocks()).startsWith(first.blocks()[0], first.blocks()[1]);
        assertThat(allocator.free()).isEqualTo(4);
    }

    @Test
    void catchUp_inTheMiddleOfABlock_changesNothing() {
        Sequence first = open(TestSequence.prompt(1, 9).build());
        Sequence second = open(TestSequence.prompt(1, 9).build());
        second.advance(2);
        run(first);

        cache.catchUp(second);

        assertThat(second.cached()).isEqualTo(2);
    }

    @Test
    void grow_blockNotFull_needsNone() {
        Sequence sequence = open(TestSequence.prompt(1, 7).build());
        run(sequence);
        sequence.phase(Sequence.Phase.DECODE);
        sequence.append(8);

        assertThat(cache.grow(sequence)).isTrue();
        assertThat(sequence.blocks()).hasSize(2);
    }

    @Test
    void grow_noBlockLeft_isFalse() {
        open(TestSequence.prompt(200, 24).build());
        Sequence sequence = open(TestSequence.prompt(1, 8).build());
        run(sequence);
        sequence.phase(Sequence.Phase.DECODE);
        sequence.append(9);

        assertThat(cache.grow(sequence)).isFalse();
        assertThat(sequence.blocks()).hasSize(2);
    }

    @Test
    void close_unfinishedBlock_isFreed() {
        Sequence sequence = open(TestSequence.prompt(1, 7).build());
        run(sequence);

        cache.close(sequence);

        assertThat(allocator.free()).isEqualTo(7);
        assertThat(cache.cachedBlocks()).isEqualTo(1);
        assertThat(cache.idleBlocks()).isEqualTo(1);
        assertThat(sequence.blocks()).isEmpty();
        assertThat(sequence.cached()).isZero();
    }

    @Test
    void open_largeCacheFull_evictsAFewMoreForTheNext() {
        BlockAllocator large = new BlockAllocator(128, 4);
        PrefixCache cacheOfMany = new PrefixCache(large);
        Sequence sequence = TestSequence.prompt(1, 128 * 4).build();
        cacheOfMany.open(sequence, List.of());
        sequence.advance(sequence.length());
        cacheOfMany.store(sequence);
        cacheOfMany.close(sequence);

        cacheOfMany.open(TestSequence.prompt(9000, 4).build(), List.of());

        assertThat(cacheOfMany.evictions()).isEqualTo(3);
        assertThat(large.free()).isEqualTo(2);
    }

    private Sequence open(Sequence sequence) {
        cache.open(sequence, cache.match(sequence));
        return sequence;
    }

    private void run(Sequence sequence) {
        sequence.advance(sequence.length() - sequence.cached());
        cache.store(sequence);
    }

    private int[] runAndClose(Sequence sequence) {
        open(sequence);
        run(sequence);
        int[] blocks = sequence.blocks().clone();
        cache.close(sequence);
        return blocks;
    }

    private int[] matched(TestSequence prompt) {
        return cache.match(prompt.build()).stream()
                .flatMapToInt(node -> IntStream.of(node.block()))
                .toArray();
    }
}
