package io.idefics.engine;

import java.util.BitSet;

/**
 * Hands out the blocks of the token cache and counts who holds them; a block is free while nobody does. Blocks are
 * numbered from 0 and hold the same number of tokens each.
 */
final class BlockAllocator {

    /*
     * Neighbouring blocks are one run for the model, so a table of few runs is read faster. A table grows into the block
     * behind its last one when that is free. A fresh start goes into the longest free run and leaves half of what the run
     * has to spare in front of it, for the table that ends there, and half behind it, for its own growth; at block 0
     * nobody ends in front.
     */

    /** In place of a block: there is none. */
    static final int NONE = -1;

    private final int blockTokens;
    private final int[] holders;
    private final BitSet taken;
    private int free;

    /**
     * @param blocks the number of blocks, at least 1
     * @param blockTokens the tokens of a block, at least 1
     */
    BlockAllocator(int blocks, int blockTokens) {
        if (blocks < 1 || blockTokens < 1) {
            throw new IllegalArgumentException(
                    "A cache needs at least 1 block of 1 token, not " + blocks + " of " + blockTokens);
        }
        this.blockTokens = blockTokens;
        this.holders = new int[blocks];
        this.taken = new BitSet(blocks);
        this.free = blocks;
    }

    int blockTokens() {
        return blockTokens;
    }

    int total() {
        return holders.length;
    }

    int free() {
        return free;
    }

    /** The number of holders of a block, 0 when it is free. */
    int holders(int block) {
        return holders[block];
    }

    /** The number of blocks that so many tokens fill, the last one perhaps in part. */
    int blocksFor(int tokens) {
        return (tokens + blockTokens - 1) / blockTokens;
    }

    /**
     * Takes blocks for one table, in as few runs as it can; each has one holder then.
     *
     * @param after the last block of the table so far, or {@link #NONE}
     * @throws IllegalStateException when fewer are free
     */
    int[] allocate(int count, int after) {
        if (count > free) {
            throw new IllegalStateException("Of " + count + " blocks only " + free + " are free");
        }
        int[] blocks = new int[count];
        int last = after;
        for (int i = 0; i < count; i++) {
            last = last != NONE && isFree(last + 1) ? last + 1 : freshStart(count - i);
            taken.set(last);
            holders[last] = 1;
            free--;
            blocks[i] = last;
        }
        return blocks;
    }

    /** Adds a holder to a block that has one. */
    void retain(int block) {
        requireHeld(block);
        holders[block]++;
    }

    /** Takes a holder away; the last one frees the block. */
    void release(int block) {
        requireHeld(block);
        if (--holders[block] == 0) {
            taken.clear(block);
            free++;
        }
    }

    private boolean isFree(int block) {
        return block < holders.length && !taken.get(block);
    }

    private int freshStart(int count) {
        int longestStart = NONE;
        int longest = 0;
        for (int start = taken.nextClearBit(0); start < holders.length; ) {
            int next = taken.nextSetBit(start);
            int end = next < 0 ? holders.length : next;
            if (end - start > longest) {
                longest = end - start;
                longestStart = start;
            }
            start = taken.nextClearBit(end);
        }
        return longestStart == 0 ? 0 : longestStart + Math.max(longest - count, 0) / 2;
    }

    private void requireHeld(int block) {
        if (holders[block] == 0) {
            throw new IllegalStateException("Nobody holds block " + block);
        }
    }
}
