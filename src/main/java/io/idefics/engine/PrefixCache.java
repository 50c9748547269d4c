package io.idefics.engine;

import io.idefics.engine.Sequence.BlockKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Gives sequences their blocks, and keeps full blocks for sequences that begin with the same tokens and pictures. */
final class PrefixCache {

    /*
     * The cache is a trie of full blocks. An edge is the whole contents of a block, its ids and what each token sees, so
     * a path from the root is the whole history that keys and values depend on; equal hashes are never enough.
     *
     * A cached block has the cache as one holder and each sequence that has it in its table as another. Invariants:
     * - A sequence holds all nodes on the path of its full blocks, and its table names exactly their blocks. So a node
     *   that nobody but the cache holds (an idle one) has idle nodes below it only, and all idle nodes can be evicted.
     * - Only a block that one sequence alone holds is written: it enters the cache when it is full, and a match ends at
     *   a full block.
     * - Two sequences that run the same tokens in the same step compute the same block twice. The first one's is cached;
     *   the second sequence changes over to it and its own is freed.
     *
     * Eviction takes the idle node that was let go longest ago. A sequence lets go of its last block first and of its
     * first block last, so a node goes later than all below it: what is evicted is always a leaf, and blocks at the
     * front of prompts, which more of them can share, stay longer.
     *
     * Kwon et al., Efficient Memory Management for LLM Serving with PagedAttention, SOSP 2023; Zheng et al., SGLang
     * (RadixAttention), NeurIPS 2024.
     */

    /** One in so many blocks is freed beyond what is needed, so that there are runs to choose from. */
    private static final int SLACK_DIVISOR = 64;

    /** A cached block. */
    static final class Node {

        private final @Nullable Node parent;
        private final @Nullable BlockKey key;
        private final int block;
        private final Map<BlockKey, Node> children = new HashMap<>();

        private Node(@Nullable Node parent, @Nullable BlockKey key, int block) {
            this.parent = parent;
            this.key = key;
            this.block = block;
        }

        int block() {
            return block;
        }
    }

    private final BlockAllocator allocator;
    private final int blockTokens;
    private final Node root = new Node(null, null, BlockAllocator.NONE);
    private final @Nullable Node[] nodeOfBlock;

    /** Nodes that only the cache holds, let go longest ago first. */
    private final Set<Node> idle = new LinkedHashSet<>();

    private int nodes;
    private long hitTokens;
    private long missTokens;
    private long evictions;
    private long duplicates;

    PrefixCache(BlockAllocator allocator) {
        this.allocator = allocator;
        this.blockTokens = allocator.blockTokens();
        this.nodeOfBlock = new Node[allocator.total()];
    }

    int blockTokens() {
        return blockTokens;
    }

    int totalBlocks() {
        return allocator.total();
    }

    int freeBlocks() {
        return allocator.free();
    }

    /** The number of cached blocks, whether sequences hold them or not. */
    int cachedBlocks() {
        return nodes;
    }

    boolean isCached(int block) {
        return nodeOfBlock[block] != null;
    }

    /** The number of cached blocks that no sequence holds. */
    int idleBlocks() {
        return idle.size();
    }

    /** The number of blocks that a sequence can have: free ones and idle ones. */
    int availableBlocks() {
        return allocator.free() + idle.size();
    }

    /** Tokens of prefills that were found. */
    long hitTokens() {
        return hitTokens;
    }

    /** Tokens of prefills that had to be run. */
    long missTokens() {
        return missTokens;
    }

    /** Cached blocks that had to go. */
    long evictions() {
        return evictions;
    }

    /** Blocks that were computed although another sequence had just done so. */
    long duplicates() {
        return duplicates;
    }

    /** The longest path of cached blocks that a sequence begins with; at least one of its tokens is left to run. */
    List<Node> match(Sequence sequence) {
        List<Node> path = new ArrayList<>();
        Node node = root;
        for (int block = 0; block < sequence.reusable() / blockTokens; block++) {
            node = node.children.get(sequence.key(block, blockTokens));
            if (node == null) {
                break;
            }
            path.add(node);
        }
        return path;
    }

    /** Whether there are blocks for a sequence that begins with a path, and so many more besides. */
    boolean fits(Sequence sequence, List<Node> path, int spare) {
        int idleOnPath = 0;
        for (Node node : path) {
            idleOnPath += idle.contains(node) ? 1 : 0;
        }
        return allocator.blocksFor(sequence.length()) - path.size() + spare <= availableBlocks() - idleOnPath;
    }

    /** Gives a sequence blocks for all its tokens: those of a path that matches it, and fresh ones. */
    void open(Sequence sequence, List<Node> path) {
        int[] table = new int[allocator.blocksFor(sequence.length())];
        for (int i = 0; i < path.size(); i++) {
            hold(path.get(i));
            table[i] = path.get(i).block;
        }
        int fresh = table.length - path.size();
        int last = path.isEmpty() ? BlockAllocator.NONE : table[path.size() - 1];
        makeRoom(fresh);
        System.arraycopy(allocator.allocate(fresh, last), 0, table, path.size(), fresh);
        sequence.blocks(table);
        sequence.nodes().addAll(path);
        sequence.reuse(path.size() * blockTokens);
        hitTokens += (long) path.size() * blockTokens;
    }

    /** Lets a sequence skip blocks that others have computed since it was opened. */
    void catchUp(Sequence sequence) {
        int block = sequence.nodes().size();
        while (sequence.cached() == block * blockTokens && sequence.cached() + blockTokens <= sequence.reusable()) {
            Node found = parent(sequence).children.get(sequence.key(block, blockTokens));
            if (found == null) {
                return;
            }
            changeOver(sequence, found);
            sequence.reuse(blockTokens);
            hitTokens += blockTokens;
            block++;
        }
    }

    /** Gives a sequence a block for its last token if it needs one; false when there is none. */
    boolean grow(Sequence sequence) {
        int[] table = sequence.blocks();
        if (allocator.blocksFor(sequence.length()) <= table.length) {
            return true;
        }
        if (availableBlocks() == 0) {
            return false;
        }
        makeRoom(1);
        int[] longer = Arrays.copyOf(table, table.length + 1);
        longer[table.length] = allocator.allocate(1, table[table.length - 1])[0];
        sequence.blocks(longer);
        return true;
    }

    /** Counts tokens of a prefill that were run. */
    void countMisses(int tokens) {
        missTokens += tokens;
    }

    /** Takes the blocks that a sequence has filled since the last time into the cache. */
    void store(Sequence sequence) {
        for (int block = sequence.nodes().size(); block < sequence.cached() / blockTokens; block++) {
            Node parent = parent(sequence);
            BlockKey key = sequence.key(block, blockTokens);
            Node found = parent.children.get(key);
            if (found != null) {
                changeOver(sequence, found);
                duplicates++;
            } else {
                Node node = new Node(parent, key, sequence.blocks()[block]);
                allocator.retain(node.block);
                parent.children.put(key, node);
                nodeOfBlock[node.block] = node;
                nodes++;
                sequence.nodes().add(node);
            }
        }
    }

    /** Takes all blocks from a sequence; the full ones stay in the cache. */
    void close(Sequence sequence) {
        int[] table = sequence.blocks();
        for (int i = table.length - 1; i >= 0; i--) {
            release(table[i]);
        }
        sequence.clear();
    }

    /** Forgets blocks at the end of a path that no sequence holds, and all that follow them. */
    void forget(List<Node> path) {
        for (Node node : path) {
            if (idle.contains(node)) {
                evictAll(node);
                return;
            }
        }
    }

    private void evictAll(Node node) {
        List.copyOf(node.children.values()).forEach(this::evictAll);
        evict(node);
    }

    private Node parent(Sequence sequence) {
        List<Node> path = sequence.nodes();
        return path.isEmpty() ? root : path.get(path.size() - 1);
    }

    /** Replaces the next block of a table, which must be its own, by a cached one with the same contents. */
    private void changeOver(Sequence sequence, Node node) {
        int block = sequence.nodes().size();
        hold(node);
        release(sequence.blocks()[block]);
        sequence.blocks()[block] = node.block;
        sequence.nodes().add(node);
    }

    private void hold(Node node) {
        idle.remove(node);
        allocator.retain(node.block);
    }

    private void release(int block) {
        allocator.release(block);
        Node node = nodeOfBlock[block];
        if (node != null && allocator.holders(block) == 1) {
            idle.add(node);
        }
    }

    private void makeRoom(int count) {
        if (allocator.free() < count) {
            int goal = count + allocator.total() / SLACK_DIVISOR;
            while (allocator.free() < goal && !idle.isEmpty()) {
                evict(idle.iterator().next());
            }
        }
    }

    private void evict(Node node) {
        Node parent = node.parent;
        if (parent == null || node.key == null || !node.children.isEmpty()) {
            throw new IllegalStateException("Block " + node.block + " is not a leaf and cannot be evicted");
        }
        parent.children.remove(node.key);
        idle.remove(node);
        nodeOfBlock[node.block] = null;
        allocator.release(node.block);
        nodes--;
        evictions++;
    }
}
