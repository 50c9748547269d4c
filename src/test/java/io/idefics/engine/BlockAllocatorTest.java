package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class BlockAllocatorTest {

    private final BlockAllocator allocator = new BlockAllocator(10, 16);

    @Test
    void allocate_emptyCache_startsAtTheFront() {
        assertThat(allocator.allocate(3, BlockAllocator.NONE)).containsExactly(0, 1, 2);
        assertThat(allocator.free()).isEqualTo(7);
    }

    @Test
    void allocate_secondTable_leavesRoomOnBothSides() {
        allocator.allocate(2, BlockAllocator.NONE);

        assertThat(allocator.allocate(2, BlockAllocator.NONE)).containsExactly(5, 6);
    }

    @Test
    void allocate_neighbourFree_growsInPlace() {
        int[] first = allocator.allocate(2, BlockAllocator.NONE);
        allocator.allocate(2, BlockAllocator.NONE);

        assertThat(allocator.allocate(1, first[1])).containsExactly(2);
    }

    @Test
    void allocate_neighbourTaken_goesElsewhere() {
        allocator.allocate(2, BlockAllocator.NONE);
        allocator.allocate(2, BlockAllocator.NONE);

        assertThat(allocator.allocate(1, 4)).containsExactly(3); // the middle of 2 to 4, the longer run
    }

    @Test
    void allocate_lastBlock_growsElsewhere() {
        allocator.allocate(10, BlockAllocator.NONE);
        allocator.release(4);

        assertThat(allocator.allocate(1, 9)).containsExactly(4);
    }

    @Test
    void allocate_noRunLongEnough_takesTheLongestFirst() {
        allocator.allocate(10, BlockAllocator.NONE);
        for (int block : new int[] {1, 5, 6, 7}) {
            allocator.release(block);
        }

        assertThat(allocator.allocate(4, BlockAllocator.NONE)).containsExactly(5, 6, 7, 1);
        assertThat(allocator.free()).isZero();
    }

    @Test
    void allocate_moreThanFree_changesNothing() {
        allocator.allocate(8, BlockAllocator.NONE);

        assertThatThrownBy(() -> allocator.allocate(3, BlockAllocator.NONE))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Of 3 blocks only 2 are free");
        assertThat(allocator.free()).isEqualTo(2);
    }

    @Test
    void release_twoHolders_freesAtTheSecond() {
        int block = allocator.allocate(1, BlockAllocator.NONE)[0];
        allocator.retain(block);

        allocator.release(block);
        assertThat(allocator.holders(block)).isEqualTo(1);
        assertThat(allocator.free()).isEqualTo(9);

        allocator.release(block);
        assertThat(allocator.holders(block)).isZero();
        assertThat(allocator.free()).isEqualTo(10);
    }

    @Test
    void release_freeBlock_throws() {
        assertThatThrownBy(() -> allocator.release(3)).hasMessage("Nobody holds block 3");
        assertThatThrownBy(() -> allocator.retain(3)).hasMessage("Nobody holds block 3");
        assertThat(allocator.free()).isEqualTo(10);
    }

    @Test
    void allocate_blockFreedAndTakenAgain_hasOneHolder() {
        allocator.release(allocator.allocate(1, BlockAllocator.NONE)[0]);

        int block = allocator.allocate(1, BlockAllocator.NONE)[0];

        assertThat(allocator.holders(block)).isEqualTo(1);
    }

    @Test
    void blocksFor_tokens_roundsUp() {
        assertThat(allocator.blocksFor(0)).isZero();
        assertThat(allocator.blocksFor(16)).isEqualTo(1);
        assertThat(allocator.blocksFor(17)).isEqualTo(2);
    }

    @Test
    void constructor_noBlock_throws() {
        assertThatThrownBy(() -> new BlockAllocator(0, 16))
                .hasMessage("A cache needs at least 1 block of 1 token, not 0 of 16");
    }
}
